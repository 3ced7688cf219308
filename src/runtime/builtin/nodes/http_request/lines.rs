//! Parameters, headers and forms that are written as text.

use serde::{Deserialize, Deserializer};

use crate::runtime::builtin::variables::text::TextTemplate;

/// Lines of `key:value`. They are lines before their references are filled in: a value never makes another line.
#[derive(Debug, Default)]
pub(super) struct KeyValueLines(pub(super) Vec<(TextTemplate, TextTemplate)>);

impl<'de> Deserialize<'de> for KeyValueLines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl KeyValueLines {
    pub(super) fn parse(source: &str) -> Self {
        let lines = source.lines().map(|line| line.split_once(':').unwrap_or((line, "")));
        let named = lines.map(|(name, value)| (name.trim(), value.trim())).filter(|(name, _)| !name.is_empty());
        Self(named.map(|(name, value)| (TextTemplate::parse(name), TextTemplate::parse(value))).collect())
    }
}
