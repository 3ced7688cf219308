//! Addresses of values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Node id of the system variables of a run.
pub(crate) const SYSTEM: &str = "sys";
/// Node id of the conversation variables.
pub(crate) const CONVERSATION: &str = "conversation";
/// Node id of the environment variables of the app.
pub(crate) const ENVIRONMENT: &str = "env";

/// The id of a node (or `sys`, `conversation`, `env`), the name of one of its variables, then names of nested members.
///
/// An empty form field gives a selector without parts, which addresses no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Selector(Vec<String>);

impl Selector {
    pub(crate) fn new(parts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(parts.into_iter().map(Into::into).collect())
    }

    pub(crate) fn parts(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The node, the variable and the member names; `None` without a variable.
    pub(crate) fn split(&self) -> Option<(&str, &str, &[String])> {
        match self.0.as_slice() {
            [node, variable, members @ ..] => Some((node, variable, members)),
            _ => None,
        }
    }

    pub(crate) fn node(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Whether the selector is exactly this variable, without members.
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
