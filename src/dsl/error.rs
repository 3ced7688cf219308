//! What is wrong with a file, and where.

use std::fmt;

use serde_json::Value;

use crate::domain::sentence::sentence;

/// Why a file is refused: one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DslError {
    /// Where, such as `workflow.graph.nodes[3].data.type`; empty: the file as a whole.
    pub place: String,
    /// The line, counted from one.
    pub line: Option<u64>,
    /// What is wrong there, and what to do where that is not plain.
    pub reason: String,
}

impl DslError {
    /// An error at a place. Both may quote the file, which must neither flood nor steer a terminal.
    pub(super) fn at(place: impl AsRef<str>, reason: impl fmt::Display) -> Self {
        Self {
            place: sentence(place.as_ref()).unwrap_or_default(),
            line: None,
            reason: sentence(&reason.to_string()).unwrap_or_default(),
        }
    }

    /// An error at a line.
    pub(super) fn at_line(line: Option<u64>, reason: impl fmt::Display) -> Self {
        Self { line, ..Self::at("", reason) }
    }
}

/// A value as a sentence shows it: short, and on one line.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

impl fmt::Display for DslError {
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
