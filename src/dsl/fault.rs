//! What is wrong with a file, and where.

use std::fmt;

use super::yaml;

/// Why a file is refused: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Fault {
    /// Where, such as `workflow.graph.nodes[3].data.type`; empty: the file as a whole.
    pub place: String,
    /// The line, counted from one.
    pub line: Option<u64>,
    /// What is wrong there, and what to do where that is not plain.
    pub reason: String,
}

impl Fault {
    /// A fault at a place.
    pub(super) fn at(place: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { place: place.into(), line: None, reason: reason.to_string() }
    }

    /// Looks the place up in the file's text.
    pub(super) fn with_line(mut self, text: &str) -> Self {
        if self.line.is_none() && !self.place.is_empty() {
            self.line = yaml::line_of(text, &self.place);
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.place.as_str(), self.line) {
            ("", None) => {}
            ("", Some(line)) => write!(f, "line {line}: ")?,
            (place, None) => write!(f, "{place}: ")?,
            (place, Some(line)) => write!(f, "{place} (line {line}): ")?,
        }
        f.write_str(&self.reason)
    }
}
