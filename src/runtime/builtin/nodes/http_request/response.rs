//! The node's outputs from a response.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use http::{
    HeaderMap,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use crate::runtime::{
    builtin::{json::JsonObject, nodes::outcome::NodeError},
    outbound::{OutboundError, OutboundResponse},
};

/// Largest text, in bytes of UTF-8.
const MAX_TEXT: usize = 1 << 20;
/// Largest response that may be a file, in bytes.
const MAX_FILE: usize = 10 << 20;

/// The content of a response, according to its headers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ContentKind {
    Text,
    File,
    /// The headers do not decide: text when it is UTF-8.
    Unknown,
}

/// Largest size of a response with these headers, in bytes.
pub(super) fn max_size(headers: &HeaderMap) -> usize {
    if content_kind(headers) == ContentKind::Text { MAX_TEXT } else { MAX_FILE }
}

/// `status_code`, `body`, `headers` and `files`. The content of a file is dropped: no other node could read it.
pub(super) fn outputs(response: &OutboundResponse) -> Result<JsonObject, Box<NodeError>> {
    let (kind, encoding) = (content_kind(&response.headers), declared_encoding(&response.headers));
    // Before it is decoded. Characters of one byte in UTF-8 take at most two in another charset.
    if kind != ContentKind::File && encoding.is_some() && response.body.len() > 2 * MAX_TEXT {
        return Err(too_large());
    }
    let text = match (kind, encoding) {
        (ContentKind::File, _) => None,
        (ContentKind::Text, encoding) => Some(decoded(&response.body, encoding.unwrap_or(UTF_8))),
        (ContentKind::Unknown, Some(encoding)) => Some(decoded(&response.body, encoding)),
        (ContentKind::Unknown, None) => {
            std::str::from_utf8(&response.body).ok().filter(|text| !text.contains('\0')).map(Into::into)
        }
    };
    let body = text.unwrap_or_default();
    if body.len() > MAX_TEXT {
        return Err(too_large());
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

fn too_large() -> Box<NodeError> {
    NodeError::new("ResponseSizeError", OutboundError::TooLarge { limit: MAX_TEXT }.to_string())
}

fn decoded<'a>(body: &'a [u8], encoding: &'static Encoding) -> Cow<'a, str> {
    encoding.decode_without_bom_handling(body).0
}

/// The encoding of the `charset` parameter of `Content-Type`; `None` without one, and for an unknown one.
fn declared_encoding(headers: &HeaderMap) -> Option<&'static Encoding> {
    let content_type = header_text(headers, CONTENT_TYPE);
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = parameters.find(|(name, _)| name.trim() == "charset")?;
    Encoding::for_label(charset.trim().trim_matches(['"', '\'']).as_bytes())
}

fn content_kind(headers: &HeaderMap) -> ContentKind {
    let disposition = header_text(headers, CONTENT_DISPOSITION);
    if disposition.starts_with("attachment") || disposition.contains("filename") {
        return ContentKind::File;
    }
    let content_type = header_text(headers, CONTENT_TYPE);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let text_subtypes = ["json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql", "csv"];
    match media_type.split_once('/') {
        Some(("text", _)) => ContentKind::Text,
        Some(("image", subtype)) if subtype != "svg+xml" => ContentKind::File,
        Some(("audio" | "video" | "font", _)) => ContentKind::File,
        Some((_, subtype)) if text_subtypes.iter().any(|text| subtype.contains(text)) => ContentKind::Text,
        _ => ContentKind::Unknown,
    }
}

/// A header in lower case; empty when it is missing.
fn header_text(headers: &HeaderMap, name: http::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase()
}
