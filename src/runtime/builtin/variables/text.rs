//! Texts that refer to variables: `Hello {{#1711.name#}}`.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    pool::VariableView,
    selector::Selector,
    value::{self, TextTooLongError},
};

/// Longest node id in a reference, in bytes.
const MAX_NODE_ID: usize = 50;
/// Longest variable or member name in a reference, in bytes.
const MAX_NAME: usize = 30;
/// Largest number of names after the node id.
const MAX_NAMES: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextPart {
    Literal(String),
    /// Replaced by the value.
    Reference(Selector),
}

/// A parsed text. An invalid reference is literal text, as in Dify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextTemplate(Vec<TextPart>);

impl TextTemplate {
    /// Parses a text; every string is valid.
    pub(crate) fn parse(source: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal_from = 0;
        let mut at = 0;
        while let Some(found) = source[at..].find("{{#") {
            let open = at + found;
            let Some((selector, length)) = reference(&source[open..]) else {
                at = open + 1;
                continue;
            };
            if literal_from < open {
                parts.push(TextPart::Literal(source[literal_from..open].to_owned()));
            }
            parts.push(TextPart::Reference(selector));
            at = open + length;
            literal_from = at;
        }
        if literal_from < source.len() {
            parts.push(TextPart::Literal(source[literal_from..].to_owned()));
        }
        Self(parts)
    }

    pub(crate) fn parts(&self) -> &[TextPart] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn references(&self) -> impl Iterator<Item = &Selector> {
        self.0.iter().filter_map(|part| match part {
            TextPart::Literal(_) => None,
            TextPart::Reference(selector) => Some(selector),
        })
    }

    /// Replaces the references by their values; a missing value is empty. The result has at most `limit` bytes.
    pub(crate) fn render(&self, view: VariableView<'_>, limit: usize) -> Result<String, TextTooLongError> {
        let mut out = String::new();
        for part in &self.0 {
            let part: Cow<'_, str> = match part {
                TextPart::Literal(text) => text.as_str().into(),
                TextPart::Reference(selector) => match view.get(selector) {
                    Some(found) => value::text(found, limit)?,
                    None => continue,
                },
            };
            if out.len() + part.len() > limit {
                return Err(TextTooLongError { limit });
            }
            out.push_str(&part);
        }
        Ok(out)
    }
}

impl fmt::Display for TextTemplate {
    /// Writes the source of the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            match part {
                TextPart::Literal(text) => f.write_str(text)?,
                TextPart::Reference(selector) => write!(f, "{{{{#{selector}#}}}}")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for TextTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&Cow::<'de, str>::deserialize(deserializer)?))
    }
}

/// The reference at the start of `source`, and its length in bytes. Node ids may contain hyphens. Dify does not accept
/// them because its own ids are digits, but files that are written by hand contain them.
fn reference(source: &str) -> Option<(Selector, usize)> {
    let inner = source.strip_prefix("{{#")?;
    // Names are short, so that a valid reference ends within this window.
    let window = &inner.as_bytes()[..inner.len().min(MAX_NODE_ID + MAX_NAMES * (MAX_NAME + 1) + 3)];
    let length = window.iter().position(|&byte| byte == b'#')?;
    if !inner[length..].starts_with("#}}") {
        return None;
    }
    let mut parts = inner[..length].split('.');
    let node = parts.next().filter(|node| is_node(node))?;
    let names: Vec<&str> = parts.collect();
    if names.is_empty() || names.len() > MAX_NAMES || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    Some((Selector::new(std::iter::once(node).chain(names)), "{{#".len() + length + "#}}".len()))
}

fn is_node(text: &str) -> bool {
    (1..=MAX_NODE_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Serialize for TextTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
