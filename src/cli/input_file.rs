//! A DSL file that the command line names.

use std::{
    convert::Infallible,
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    str::FromStr,
};

use super::{error::CommandError, exit_code::CommandErrorKind};
use crate::dsl;

/// A path, or `-` for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InputFile {
    StandardInput,
    Path(PathBuf),
}

impl FromStr for InputFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::StandardInput } else { Self::Path(text.into()) })
    }
}

impl fmt::Display for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StandardInput => f.write_str("standard input"),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl InputFile {
    /// Reads the text, at most one byte more than `dsl::read` accepts.
    pub(crate) fn read(&self) -> Result<String, CommandError> {
        let unreadable = |kind, cause: &dyn fmt::Display| {
            CommandError::new(kind, format_args!("{self} cannot be read ({cause}); check the path"))
        };
        let mut bytes = Vec::new();
        let limit = dsl::LONGEST as u64 + 1;
        match self {
            Self::StandardInput => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
            Self::Path(path) => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
        }
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => unreadable(CommandErrorKind::NotFound, &cause),
            _ => unreadable(CommandErrorKind::Usage, &cause),
        })?;
        String::from_utf8(bytes).map_err(|_| unreadable(CommandErrorKind::Usage, &"it is not UTF-8 text"))
    }
}
