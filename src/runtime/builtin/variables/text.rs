//! Texts that hold references: `Hello {{#1711.name#}}`.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    VariableView,
    selector::Selector,
    value::{self, TextTooLongError},
};

/// Longest node id in a reference.
const NODE_MAX: usize = 50;
/// Longest variable or member name in a reference.
const NAME_MAX: usize = 30;
/// Most names after the node.
const NAMES_MAX: usize = 10;

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TextPart {
    /// Stands as it is.
    Literal(String),
    /// Is replaced by a value.
    Reference(Selector),
}

/// A text, parsed once. What only looks like a reference is literal, as in Dify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextTemplate(Vec<TextPart>);

impl TextTemplate {
    /// Finds the references. Never fails: anything is a text.
    pub(crate) fn parse(source: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal_from = 0;
        let mut at = 0;
        while let Some(found) = source[at..].find("{{#") {
            let open = at + found;
            let Some((selector, length)) = reference(&source[open..]) else {
                at = open + 1;
                continue;
            };
            if literal_from < open {
                pieces.push(TextPart::Literal(source[literal_from..open].to_owned()));
            }
            pieces.push(TextPart::Reference(selector));
            at = open + length;
            literal_from = at;
        }
        if literal_from < source.len() {
            pieces.push(TextPart::Literal(source[literal_from..].to_owned()));
        }
        Self(pieces)
    }

    /// Its parts, in order.
    pub(crate) fn pieces(&self) -> &[TextPart] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every reference in it.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Selector> {
        self.0.iter().filter_map(|piece| match piece {
            TextPart::Literal(_) => None,
            TextPart::Reference(selector) => Some(selector),
        })
    }

    /// The text with its values in place; what is not there is empty. At most `limit` bytes.
    pub(crate) fn render(&self, view: VariableView<'_>, limit: usize) -> Result<String, TextTooLongError> {
        let mut out = String::new();
        for piece in &self.0 {
            let part: Cow<'_, str> = match piece {
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
    /// The source it was parsed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
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

/// The reference that `source` starts with, and how many bytes it takes. A node's id may hold hyphens, unlike in Dify, which
/// only ever makes ids of digits: files written by hand have them.
fn reference(source: &str) -> Option<(Selector, usize)> {
    let inner = source.strip_prefix("{{#")?;
    // Names are ASCII and short, so the end is near or nowhere.
    let window = &inner.as_bytes()[..inner.len().min(NODE_MAX + NAMES_MAX * (NAME_MAX + 1) + 3)];
    let length = window.iter().position(|&byte| byte == b'#')?;
    if !inner[length..].starts_with("#}}") {
        return None;
    }
    let mut parts = inner[..length].split('.');
    let node = parts.next().filter(|node| is_node(node))?;
    let names: Vec<&str> = parts.collect();
    if names.is_empty() || names.len() > NAMES_MAX || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    Some((Selector::new(std::iter::once(node).chain(names)), "{{#".len() + length + "#}}".len()))
}

fn is_node(text: &str) -> bool {
    (1..=NODE_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn is_name(text: &str) -> bool {
    (1..=NAME_MAX).contains(&text.len())
        && !text.as_bytes()[0].is_ascii_digit()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Serialize for TextTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
