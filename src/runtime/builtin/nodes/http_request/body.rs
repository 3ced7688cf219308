//! What a request carries.

use std::{borrow::Cow, fmt::Write as _};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{context::HttpRequestContext, lines::KeyValueLines};
use crate::runtime::builtin::{json::or_default, nodes::outcome::NodeError, variables::text::TextTemplate};

/// The body, as the graph holds it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RequestBody {
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    kind: BodyKind,
    #[serde(default, deserialize_with = "or_default")]
    data: BodyContent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum BodyKind {
    #[default]
    None,
    Json,
    RawText,
    FormData,
    XWwwFormUrlencoded,
    Binary,
}

/// A list of items, or one text as in older files.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum BodyContent {
    Items(Vec<BodyItem>),
    Source(String),
}

impl Default for BodyContent {
    fn default() -> Self {
        Self::Items(Vec::new())
    }
}

#[derive(Debug, Deserialize)]
struct BodyItem {
    #[serde(default, deserialize_with = "or_default")]
    key: TextTemplate,
    #[serde(default, rename = "type", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    value: TextTemplate,
}

/// A body that can be sent.
#[derive(Debug, Default)]
pub(super) struct Filled {
    pub bytes: Option<Bytes>,
    pub content_type: Option<String>,
    /// Whether the type belongs to just these bytes.
    pub is_form: bool,
}

impl RequestBody {
    /// The body with its values in place.
    pub(super) fn fill(&self, around: &HttpRequestContext<'_>) -> Result<Filled, Box<NodeError>> {
        let filled = |text: String, kind: &str| Filled {
            bytes: Some(text.into()),
            content_type: Some(kind.to_owned()),
            is_form: false,
        };
        match self.kind {
            BodyKind::None => Ok(Filled::default()),
            BodyKind::RawText => Ok(filled(self.text(around)?, "text/plain; charset=utf-8")),
            BodyKind::Json => Ok(filled(json(&self.text(around)?)?, "application/json")),
            BodyKind::XWwwFormUrlencoded => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in self.pairs(around)? {
                    form.append_pair(&name, &value);
                }
                Ok(filled(form.finish(), "application/x-www-form-urlencoded"))
            }
            BodyKind::FormData => {
                let boundary = &around.boundary;
                let mut form = String::new();
                for (name, value) in self.pairs(around)? {
                    if value.contains(boundary.as_str()) {
                        return Err(body_error("a value of the form cannot be sent"));
                    }
                    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
                    for part in [
                        "--",
                        boundary,
                        "\r\nContent-Disposition: form-data; name=\"",
                        &name,
                        "\"\r\n\r\n",
                        &value,
                        "\r\n",
                    ] {
                        form.push_str(part);
                    }
                }
                for part in ["--", boundary, "--\r\n"] {
                    form.push_str(part);
                }
                Ok(Filled { is_form: true, ..filled(form, &format!("multipart/form-data; boundary={boundary}")) })
            }
            BodyKind::Binary => Err(body_error("sending files is not supported")),
        }
    }

    fn text(&self, around: &HttpRequestContext<'_>) -> Result<String, Box<NodeError>> {
        let source;
        let text = match &self.data {
            BodyContent::Items(items) => match items.as_slice() {
                [] => return Ok(String::new()),
                [item] => &item.value,
                _ => return Err(body_error("this type of body must have exactly one item")),
            },
            BodyContent::Source(text) => {
                source = TextTemplate::parse(text);
                &source
            }
        };
        Ok(text.render(around.view, around.limit)?)
    }

    fn pairs(&self, around: &HttpRequestContext<'_>) -> Result<Vec<(String, String)>, Box<NodeError>> {
        let fill = |text: &TextTemplate| text.render(around.view, around.limit);
        let (mut pairs, mut length) = (Vec::new(), 0);
        let lines;
        let texts: Vec<(&TextTemplate, &TextTemplate)> = match &self.data {
            BodyContent::Items(items) => {
                if items.iter().any(|item| item.kind == "file") {
                    return Err(body_error("sending files is not supported"));
                }
                items.iter().map(|item| (&item.key, &item.value)).collect()
            }
            BodyContent::Source(source) => {
                lines = KeyValueLines::parse(source);
                lines.0.iter().map(|(name, value)| (name, value)).collect()
            }
        };
        for (name, value) in texts {
            let (name, value) = (fill(name)?, fill(value)?);
            length += name.len() + value.len();
            if length > around.limit {
                return Err(body_error(format!("the body is longer than {} bytes", around.limit)));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}

/// The text, if it is JSON once line breaks and the like within its strings are escaped: values that were filled in have them,
/// and Dify lets them pass.
fn json(text: &str) -> Result<String, Box<NodeError>> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let text = escaped(text);
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(_) => Ok(text.into_owned()),
        Err(fault) => Err(body_error(format!("Failed to parse JSON: {fault}"))),
    }
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < b' ') {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut within, mut escape) = (false, false);
    for character in text.chars() {
        if within && character < ' ' && !escape {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
            continue;
        }
        out.push(character);
        match character {
            _ if escape => escape = false,
            '\\' if within => escape = true,
            '"' => within = !within,
            _ => {}
        }
    }
    out.into()
}

fn body_error(message: impl Into<String>) -> Box<NodeError> {
    NodeError::new("RequestBodyError", message)
}
