//! Names of uploaded files.

use crate::domain::{
    error::{Code, Error, Result},
    text::is_unprintable,
};

/// Limit of characters in a name, as in Dify.
const MAX_CHARACTERS: usize = 200;
/// Longer suffixes are parts of the name.
const MAX_EXTENSION: usize = 32;

/// A name without a path, with at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    name: String,
    extension: String,
}

impl FileName {
    /// Reads the name that a client sent. Fails with `filename_not_exists` for an empty name, and with
    /// `invalid_request` for a path or a character that hides text.
    pub fn parse(text: &str) -> Result<Self> {
        let name = text.trim();
        if name.is_empty() {
            return Err(Error::new(Code::FilenameNotExists, "The file has no name."));
        }
        if name.contains(['/', '\\']) || name == "." || name == ".." || name.contains(is_unprintable) {
            let message = "The name of the file contains a path or a control character.";
            return Err(Error::new(Code::InvalidRequest, message).with_hint("Send the name alone, like `report.pdf`."));
        }
        let extension = extension(name).unwrap_or_default();
        Ok(Self { name: shortened(name, extension), extension: extension.to_lowercase() })
    }

    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// In lower case, without its dot; empty when there is none.
    pub fn extension(&self) -> &str {
        &self.extension
    }
}

/// What follows the last dot. A name that begins with its only dot has no extension.
fn extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    let is_extension = extension.len() <= MAX_EXTENSION && extension.chars().all(char::is_alphanumeric);
    (!stem.is_empty() && is_extension).then_some(extension)
}

/// The name with at most [`MAX_CHARACTERS`] characters and the same extension.
fn shortened(name: &str, extension: &str) -> String {
    if name.chars().count() <= MAX_CHARACTERS {
        return name.to_owned();
    }
    if extension.is_empty() {
        return name.chars().take(MAX_CHARACTERS).collect();
    }
    let stem: String = name.chars().take(MAX_CHARACTERS - extension.chars().count() - 1).collect();
    format!("{stem}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_and_cjk_letters_are_valid() {
        for (text, name, extension) in [
            ("report.PDF", "report.PDF", "pdf"),
            (" my holiday photo.jpeg ", "my holiday photo.jpeg", "jpeg"),
            ("季度报告 最终.docx", "季度报告 最终.docx", "docx"),
            (".env", ".env", ""),
            ("no extension", "no extension", ""),
            ("archive.tar.gz", "archive.tar.gz", "gz"),
            ("a.b c", "a.b c", ""),
        ] {
            let parsed = FileName::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.extension()), (name, extension), "{text}");
        }
    }

    #[test]
    fn paths_and_hidden_characters_are_refused() {
        for text in
            ["../../etc/passwd", "/etc/passwd", "C:\\x.txt", "a/b.png", "..", ".", "a\u{0}.png", "a\u{202e}gpj.exe"]
        {
            assert_eq!(FileName::parse(text).unwrap_err().code(), Code::InvalidRequest, "{text}");
        }
        assert_eq!(FileName::parse("  ").unwrap_err().code(), Code::FilenameNotExists);
    }

    #[test]
    fn long_names_are_shortened_and_keep_their_extension() {
        let parsed = FileName::parse(&format!("{}.pdf", "长".repeat(300))).unwrap();
        assert_eq!(parsed.as_str().chars().count(), 200);
        assert_eq!((parsed.extension(), parsed.as_str().rsplit('.').next()), ("pdf", Some("pdf")));
        let without = FileName::parse(&format!("x.{}", "y".repeat(300))).unwrap();
        assert_eq!((without.as_str().len(), without.extension()), (200, ""));
    }
}
