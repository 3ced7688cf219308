//! From an answer to the node's outputs.

use http::{
    HeaderMap,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use crate::runtime::{
    builtin::{json::JsonObject, nodes::outcome::NodeError},
    outbound::{OutboundError, OutboundResponse},
};

/// Largest text, in bytes.
const TEXT_MAX: usize = 1 << 20;
/// Largest answer that may be a file, in bytes.
const FILE_MAX: usize = 10 << 20;

/// What an answer is, as far as its headers tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ContentKind {
    Text,
    File,
    Either,
}

/// The most an answer with these headers may hold.
pub(super) fn limit(headers: &HeaderMap) -> usize {
    if content(headers) == ContentKind::Text { TEXT_MAX } else { FILE_MAX }
}

/// `status_code`, `body`, `headers` and `files`. A file's contents are not kept: there is nowhere for other nodes to read it.
pub(super) fn outputs(response: &OutboundResponse) -> Result<JsonObject, Box<NodeError>> {
    let text = match content(&response.headers) {
        ContentKind::Text => Some(String::from_utf8_lossy(&response.body)),
        ContentKind::Either => {
            std::str::from_utf8(&response.body).ok().filter(|text| !text.contains('\0')).map(Into::into)
        }
        ContentKind::File => None,
    };
    let body = text.unwrap_or_default();
    if body.len() > TEXT_MAX {
        return Err(NodeError::new("ResponseSizeError", OutboundError::TooLarge { limit: TEXT_MAX }.to_string()));
    }
    let mut headers = JsonObject::new();
    for name in response.headers.keys() {
        let values = response.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), values.join(", ").into());
    }
    let mut outputs = JsonObject::new();
    outputs.insert("status_code".to_owned(), response.status.as_u16().into());
    outputs.insert("body".to_owned(), body.into_owned().into());
    outputs.insert("headers".to_owned(), Value::Object(headers));
    outputs.insert("files".to_owned(), json!([]));
    Ok(outputs)
}

fn content(headers: &HeaderMap) -> ContentKind {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let disposition = text(CONTENT_DISPOSITION);
    if disposition.starts_with("attachment") || disposition.contains("filename") {
        return ContentKind::File;
    }
    let kind = text(CONTENT_TYPE);
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let texts = ["json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql", "csv"];
    match kind.split_once('/') {
        Some(("text", _)) => ContentKind::Text,
        Some(("image", sub)) if sub != "svg+xml" => ContentKind::File,
        Some(("audio" | "video" | "font", _)) => ContentKind::File,
        Some((_, sub)) if texts.iter().any(|text| sub.contains(text)) => ContentKind::Text,
        _ => ContentKind::Either,
    }
}
