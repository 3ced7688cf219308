//! The body of a request.

use bytes::Bytes;
use serde::Deserialize;

use super::{context::HttpRequestContext, json_body, lines::KeyValueLines};
use crate::runtime::builtin::{
    json::or_default,
    nodes::outcome::NodeError,
    variables::{selector::Selector, text::TextTemplate},
};

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

/// A list of items, or one text in older files.
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
    #[serde(default, deserialize_with = "or_default")]
    file: Selector,
}

impl BodyItem {
    fn is_file(&self) -> bool {
        self.kind == "file"
    }
}

/// A body with its values filled in.
#[derive(Debug, Default)]
pub(super) struct RenderedBody {
    /// `None`: the request has no body.
    pub bytes: Option<Bytes>,
    pub content_type: Option<String>,
    /// Whether the content type has the boundary of these bytes, so that no header of the node may replace it.
    pub has_boundary: bool,
    pub is_json: bool,
}

impl RenderedBody {
    fn new(text: String, content_type: &str) -> Self {
        Self { bytes: Some(text.into()), content_type: Some(content_type.to_owned()), ..Self::default() }
    }
}

impl RequestBody {
    /// The first file that the body sends: its variable, or an empty selector when the node has none.
    pub(super) fn file(&self) -> Option<&Selector> {
        let BodyContent::Items(items) = &self.data else { return None };
        match self.kind {
            BodyKind::FormData => items.iter().find(|item| item.is_file()).map(|item| &item.file),
            BodyKind::Binary => items.first().map(|item| &item.file),
            BodyKind::None | BodyKind::Json | BodyKind::RawText | BodyKind::XWwwFormUrlencoded => None,
        }
    }

    /// Fills in the values.
    pub(super) fn render(&self, context: &HttpRequestContext<'_>) -> Result<RenderedBody, Box<NodeError>> {
        match self.kind {
            BodyKind::None => Ok(RenderedBody::default()),
            BodyKind::RawText => {
                let text = self.single_text()?.render(context.view, context.limit)?;
                Ok(RenderedBody::new(text, "text/plain"))
            }
            BodyKind::Json => {
                let text = json_body::render(&self.single_text()?, context.view, context.limit)?;
                // As in Dify, a body that is nothing is not sent.
                let text = if text == "null" { String::new() } else { text };
                Ok(RenderedBody { is_json: true, ..RenderedBody::new(text, "application/json") })
            }
            BodyKind::XWwwFormUrlencoded => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                for (name, value) in self.pairs(context)? {
                    form.append_pair(&name, &value);
                }
                Ok(RenderedBody::new(form.finish(), "application/x-www-form-urlencoded"))
            }
            BodyKind::FormData => self.form_data(context),
            BodyKind::Binary => Err(body_error("sending files is not supported")),
        }
    }

    fn form_data(&self, context: &HttpRequestContext<'_>) -> Result<RenderedBody, Box<NodeError>> {
        let boundary = &context.boundary;
        let mut form = String::new();
        for (name, value) in self.pairs(context)? {
            if value.contains(boundary.as_str()) {
                return Err(body_error("a value of the form contains its boundary"));
            }
            let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
            let disposition = "\r\nContent-Disposition: form-data; name=\"";
            form.extend(["--", boundary, disposition, &name, "\"\r\n\r\n", &value, "\r\n"]);
        }
        form.extend(["--", boundary, "--\r\n"]);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Ok(RenderedBody { has_boundary: true, ..RenderedBody::new(form, &content_type) })
    }

    /// The text of a body that is one text.
    fn single_text(&self) -> Result<TextTemplate, Box<NodeError>> {
        match &self.data {
            BodyContent::Items(items) => match items.as_slice() {
                [] => Ok(TextTemplate::default()),
                [item] => Ok(item.value.clone()),
                _ => Err(body_error("this type of body must have exactly one item")),
            },
            BodyContent::Source(source) => Ok(TextTemplate::parse(source)),
        }
    }

    fn pairs(&self, context: &HttpRequestContext<'_>) -> Result<Vec<(String, String)>, Box<NodeError>> {
        let render = |text: &TextTemplate| text.render(context.view, context.limit);
        let (mut pairs, mut length) = (Vec::new(), 0);
        let lines;
        let texts: Vec<(&TextTemplate, &TextTemplate)> = match &self.data {
            BodyContent::Items(items) => {
                if items.iter().any(BodyItem::is_file) {
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
            let (name, value) = (render(name)?, render(value)?);
            length += name.len() + value.len();
            if length > context.limit {
                return Err(body_error(format!("the body is longer than {} bytes", context.limit)));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}

fn body_error(message: impl Into<String>) -> Box<NodeError> {
    NodeError::new("RequestBodyError", message)
}
