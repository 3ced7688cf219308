//! Parameters, headers and forms that are written as text.

use serde::{Deserialize, Deserializer};

use crate::runtime::builtin::{json::or_default, variables::text::TextTemplate};

/// Lines of `key:value`. The text is split before its references are filled in, so that a value never adds a line.
#[derive(Debug, Default)]
pub(super) struct KeyValueLines(pub(super) Vec<(TextTemplate, TextTemplate)>);

impl<'de> Deserialize<'de> for KeyValueLines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&or_default::<String, D>(deserializer)?))
    }
}

impl KeyValueLines {
    pub(super) fn parse(source: &str) -> Self {
        let lines = source.lines().map(|line| line.split_once(':').unwrap_or((line, "")));
        let named = lines.map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| !name.is_empty());
        Self(named.map(|(name, value)| (TextTemplate::parse(name), TextTemplate::parse(value))).collect())
    }
}
