//! The request as Dify writes it into the event: with the headers of the node, and without those of the connection.

use std::{borrow::Cow, fmt::Write as _};

use http::header::CONTENT_TYPE;
use url::Position;

use super::body::RenderedBody;
use crate::runtime::{
    builtin::{secret_masks::SecretMasks, variables::value::ascii_json},
    outbound::OutboundRequest,
};

/// Longest part of the body in the event, in bytes.
const MAX_BODY: usize = 10_000;
/// Longest JSON that is written as Dify writes it, in bytes. A longer one stays as it is sent.
const MAX_JSON: usize = 64 << 10;

/// What a request's event has besides the request itself.
#[derive(Default)]
pub(super) struct RequestEvent {
    /// The headers with their names as the author wrote them; secrets are masked.
    headers: Vec<(String, String)>,
}

impl RequestEvent {
    /// Adds a header. One with exactly this name is replaced in its place.
    pub(super) fn add_header(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Adds the content type of the body, in place of one that the author wrote.
    pub(super) fn set_content_type(&mut self, value: &str) {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
        self.headers.push(("Content-Type".to_owned(), value.to_owned()));
    }

    /// The request without its secrets.
    pub(super) fn text(&self, request: &OutboundRequest, body: &RenderedBody, masks: &SecretMasks) -> String {
        let path = &request.url[Position::BeforePath..Position::AfterQuery];
        let host = &request.url[Position::BeforeHost..Position::AfterPort];
        let mut text = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", request.method);
        for (name, value) in &self.headers {
            // Writing to a string cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let mut text = masks.mask_text(&text).into_owned();
        // Masked before it is cut off, so that no part of a secret remains.
        let body = body_text(body, masks);
        if !body.is_empty() {
            let _ = write!(text, "Content-Length: {}\r\n", body.chars().count());
        }
        text.push_str("\r\n");
        text.push_str(&body[..body.floor_char_boundary(MAX_BODY)]);
        text
    }
}

/// The body without its secrets; JSON has blanks after its commas and colons, and is ASCII.
fn body_text(body: &RenderedBody, masks: &SecretMasks) -> String {
    let sent = String::from_utf8_lossy(body.bytes.as_deref().unwrap_or_default());
    if body.is_json && sent.len() <= MAX_JSON {
        return serde_json::from_str(&sent).map(|value| ascii_json(&value, masks)).unwrap_or_default();
    }
    match masks.mask_text(&sent) {
        Cow::Borrowed(_) => sent.into_owned(),
        Cow::Owned(masked) => masked,
    }
}
