//! Where a value lives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The pseudo node of the run's own values.
pub(crate) const SYSTEM: &str = "sys";
/// The pseudo node of what the conversation keeps.
pub(crate) const CONVERSATION: &str = "conversation";
/// The pseudo node of the app's settings.
pub(crate) const ENVIRONMENT: &str = "env";

/// A node's id (or `sys`, `conversation`, `env`), then one of its variables, then members of that.
///
/// A form that was left empty gives a selector of no parts; nothing is ever found there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Selector(Vec<String>);

impl Selector {
    /// From its parts.
    pub(crate) fn new(parts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }

    /// Its parts.
    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    /// Whether it names nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The node, the variable, and the members of that; `None` when there is no variable.
    pub(crate) fn split(&self) -> Option<(&str, &str, &[String])> {
        match self.0.as_slice() {
            [node, variable, members @ ..] => Some((node, variable, members)),
            _ => None,
        }
    }

    /// The node it points at.
    pub(crate) fn node(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether it names exactly this variable of this node.
    pub(crate) fn is(&self, node: &str, variable: &str) -> bool {
        matches!(self.0.as_slice(), [a, b] if a == node && b == variable)
    }
}

impl fmt::Display for Selector {
    /// The parts, joined by dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}
