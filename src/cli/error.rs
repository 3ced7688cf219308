//! Why a command failed: one sentence with the fix for each problem, and the exit code.

use std::{fmt, io::Write as _, process::ExitCode};

use super::printable::Printable;
use crate::{
    config::Problems,
    domain::{Code, Error},
    store::sql::{
        error::{DatabaseTimeoutError, RedactedDbError},
        error_kind::SqlErrorKind,
    },
};

#[derive(Debug)]
pub(crate) struct CommandError {
    sentences: Vec<String>,
    /// 2: the command line or the configuration has to change; 1: anything else.
    pub(super) code: u8,
}

impl CommandError {
    /// Exit code 2: the command line or the configuration has to change.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 2 }
    }

    /// Exit code 1.
    pub(crate) fn other(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 1 }
    }

    /// Prints the sentences on standard error and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        for sentence in &self.sentences {
            let lines: Vec<_> = sentence.lines().map(|line| Printable(line).to_string()).collect();
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "error: {}", lines.join("\n"));
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences.join("\n"))
    }
}

impl std::error::Error for CommandError {}

impl From<Problems> for CommandError {
    fn from(problems: Problems) -> Self {
        Self { sentences: problems.0.into_iter().map(|problem| problem.sentence).collect(), code: 2 }
    }
}

impl From<Error> for CommandError {
    /// The public message with its hint, or the innermost cause if there is one: operators can act on it.
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let mut sentence = error.message().to_owned();
        if let Some(hint) = error.hint() {
            sentence = format!("{sentence} {hint}");
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            sentence = trouble(inner).map_or_else(|| inner.to_string(), |trouble| advice(trouble).to_owned());
            cause = inner.source();
        }
        match error.code() {
            // An unknown account or a name in use: the command line has to change.
            Code::NotFound | Code::InvalidParam | Code::InvalidRequest => Self::usage(sentence),
            _ => Self::other(sentence),
        }
    }
}

/// The kind of a database fault that an operator can fix.
fn trouble(cause: &(dyn std::error::Error + 'static)) -> Option<SqlErrorKind> {
    match cause.downcast_ref::<RedactedDbError>() {
        Some(error) => error.kind(),
        None => cause.is::<DatabaseTimeoutError>().then_some(SqlErrorKind::Unreachable),
    }
}

/// What to do about it. Quotes nothing from the connection string, which contains the password.
const fn advice(trouble: SqlErrorKind) -> &'static str {
    match trouble {
        SqlErrorKind::Unreachable => {
            "the database is not answering; check DATABASE_URL (or DB_HOST and DB_PORT), and that the server runs"
        }
        SqlErrorKind::NoDatabase => {
            "the database server has no database of that name; create it, or correct DATABASE_URL (or DB_DATABASE)"
        }
        SqlErrorKind::Credentials => {
            "the database refuses the user or its password; correct DATABASE_URL (or DB_USERNAME and DB_PASSWORD)"
        }
        SqlErrorKind::Schema => {
            "the database lacks a table or column of this version; run `dify-openapi migrate up` (beside Dify, upgrade Dify's database first)"
        }
        SqlErrorKind::File => {
            "the SQLite file cannot be opened as a database; check DATA_DIR or DATABASE_URL, and who may read and write there"
        }
        SqlErrorKind::Busy => "the database is busy with somebody else's changes; try again",
    }
}
