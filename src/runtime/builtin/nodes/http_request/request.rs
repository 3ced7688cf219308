//! Builds the request from the node's data and the variables.

use std::{fmt::Write as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
    },
};
use url::Url;

use super::{
    context::HttpRequestContext,
    data::{ApiKey, ApiKeyKind, AuthorizationKind, HttpRequestNodeData},
};
use crate::runtime::{
    builtin::{
        nodes::outcome::NodeError,
        secret_masks::{MASK, SecretMasks},
        variables::text::TextTemplate,
    },
    outbound::{MAX_READ_TIMEOUT, OutboundRequest},
};

const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];
/// Headers that the connection sets. Authors paste them from a browser or a cURL command, and they are left out. With
/// the encodings of the browser, the response would be compressed, which is not supported here.
const IGNORED_HEADERS: [HeaderName; 11] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const SERVICE_USER_AGENT: HeaderValue = HeaderValue::from_static("dify-openapi");
/// Largest size of the URL and all headers, in bytes. Few servers accept more.
const MAX_HEAD: usize = 64 << 10;
/// Longest part of the body in the event, in bytes.
const MAX_EVENT_BODY: usize = 10_000;

/// The request, and its text for the event.
pub(super) fn build(
    data: &HttpRequestNodeData,
    context: &HttpRequestContext<'_>,
) -> Result<(OutboundRequest, String), Box<NodeError>> {
    let render = |text: &TextTemplate| text.render(context.view, context.limit);
    let method = METHODS
        .into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(&data.method))
        .ok_or_else(|| NodeError::new("InvalidHttpMethodError", format!("Invalid http method {}", data.method)))?;
    let url_text = render(&data.url)?;
    let mut length = url_text.len();
    check_size(length)?;
    let mut url = parse_url(url_text.trim())?;
    if !data.params.0.is_empty() {
        let mut query = url.query_pairs_mut();
        for (name, value) in &data.params.0 {
            let (name, value) = (render(name)?, render(value)?);
            length += name.len() + value.len();
            check_size(length)?;
            query.append_pair(&name, &value);
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, SERVICE_USER_AGENT);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in &data.headers.0 {
        let (name, value) = (render(name)?, render(value)?);
        length += name.len() + value.len();
        check_size(length)?;
        let (name, value) = parse_header(name.trim(), &value)?;
        if !IGNORED_HEADERS.contains(&name) {
            headers.insert(name, value);
        }
    }
    let mut secret_headers = vec![AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    if let Some((name, value)) = api_key_header(data, context)? {
        secret_headers.push(name.clone());
        headers.insert(name, value);
    }
    let body = data.body.render(context)?;
    if let Some(content_type) = &body.content_type {
        let content_type =
            HeaderValue::from_str(content_type).map_err(|_| request_error("the body's content type is not valid"))?;
        if body.has_boundary || !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, content_type);
        }
    }
    let read_timeout = match data.timeout.read {
        0 => MAX_READ_TIMEOUT,
        seconds => Duration::from_secs(seconds).min(MAX_READ_TIMEOUT),
    };
    // Servers expect a length with these methods, also without a body.
    let needs_length = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let body = body.bytes.or_else(|| needs_length.then(Bytes::new));
    let request = OutboundRequest { method, url, headers, body, read_timeout };
    let text = event_text(&request, &secret_headers, context.masks);
    Ok((request, text))
}

/// The header with the node's API key, if it has one that can be sent.
fn api_key_header(
    data: &HttpRequestNodeData,
    context: &HttpRequestContext<'_>,
) -> Result<Option<(HeaderName, HeaderValue)>, Box<NodeError>> {
    if data.authorization.kind != AuthorizationKind::ApiKey {
        return Ok(None);
    }
    let key = data.authorization.config.as_ref();
    let key = key.ok_or_else(|| NodeError::new("AuthorizationConfigError", "authorization config is required"))?;
    let secret = key.secret.render(context.view, context.limit)?;
    if secret.trim().is_empty() {
        let message = "API key is required for authorization but was empty. Please provide a valid API key.";
        return Err(NodeError::new("AuthorizationConfigError", message));
    }
    Ok(Some(authorization(key, &secret)?).filter(|(name, _)| !IGNORED_HEADERS.contains(name)))
}

fn check_size(length: usize) -> Result<(), Box<NodeError>> {
    if length > MAX_HEAD {
        Err(request_error(format!("the url and the headers are longer than {MAX_HEAD} bytes")))
    } else {
        Ok(())
    }
}

fn parse_url(text: &str) -> Result<Url, Box<NodeError>> {
    if text.is_empty() {
        return Err(NodeError::new("InvalidURLError", "url is required"));
    }
    let has_scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if !has_scheme("http://") && !has_scheme("https://") {
        return Err(NodeError::new("InvalidURLError", "url should start with http:// or https://"));
    }
    Url::parse(text).map_err(|error| NodeError::new("InvalidURLError", format!("the url is not valid: {error}")))
}

fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Box<NodeError>> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| request_error("a header's name is not valid"))?;
    // Control characters are rejected, so that no value ends its header. Other characters are sent as UTF-8.
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        request_error(format!("the value of the header {name} contains characters that are not allowed"))
    })?;
    Ok((name, value))
}

fn authorization(key: &ApiKey, secret: &str) -> Result<(HeaderName, HeaderValue), Box<NodeError>> {
    let name = if key.header.trim().is_empty() { AUTHORIZATION.as_str() } else { key.header.trim() };
    let value = match key.kind {
        ApiKeyKind::Bearer => format!("Bearer {secret}"),
        ApiKeyKind::Basic if secret.contains(':') => format!("Basic {}", STANDARD.encode(secret)),
        ApiKeyKind::Basic => format!("Basic {secret}"),
        ApiKeyKind::Custom => secret.to_owned(),
    };
    let (name, mut value) = parse_header(name, &value)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The request as Dify writes it into the event, without its secrets.
fn event_text(request: &OutboundRequest, secret_headers: &[HeaderName], masks: &SecretMasks) -> String {
    let path = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &request.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut text = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", request.method);
    for (name, value) in &request.headers {
        let value = if secret_headers.contains(name) { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        // Writing to a string cannot fail.
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text.push_str("\r\n");
    let mut text = masks.mask_text(&text).into_owned();
    if let Some(body) = &request.body {
        // Masked before it is cut off, so that no part of a secret remains.
        let body = String::from_utf8_lossy(body);
        let body = masks.mask_text(&body);
        text.push_str(&body[..body.floor_char_boundary(MAX_EVENT_BODY)]);
    }
    text
}

fn request_error(message: impl Into<String>) -> Box<NodeError> {
    NodeError::new("HttpRequestNodeError", message)
}
