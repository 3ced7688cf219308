//! The result of a command that makes or changes something: a sentence that states what is now true, or JSON.

use std::{fmt, io::Write};

use clap::ValueEnum;
use serde_json::Value;

use super::{
    error::CommandError,
    output::{print_document, print_line},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResultFormat {
    /// A line of text
    Text,
    /// A JSON object
    Json,
}

impl ResultFormat {
    pub(super) fn print(
        self,
        sentence: impl fmt::Display,
        object: &Value,
        out: &mut dyn Write,
    ) -> Result<(), CommandError> {
        match self {
            Self::Text => print_line(out, sentence),
            Self::Json => print_document("result", format!("{object:#}\n").as_bytes(), out),
        }
    }
}

/// A number with its noun, such as "2 sessions".
pub(super) fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
