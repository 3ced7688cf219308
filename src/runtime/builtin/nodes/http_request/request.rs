//! From the node's data and the values around it to a request.

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

/// The methods there are.
const METHODS: [Method; 7] =
    [Method::GET, Method::POST, Method::HEAD, Method::PATCH, Method::PUT, Method::DELETE, Method::OPTIONS];
/// Headers that belong to the connection and the message's frame.
const RESERVED: [HeaderName; 8] = [CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
/// How the service names itself.
const SELF: HeaderValue = HeaderValue::from_static("dify-openapi");
/// Longest url with its parameters, and all headers, in bytes; few servers take as much.
const HEAD_MAX: usize = 64 << 10;
/// As much of a body as the event tells, in bytes.
const TOLD: usize = 10_000;

/// The request, and what the event tells of it.
pub(super) fn build(
    data: &HttpRequestNodeData,
    around: &HttpRequestContext<'_>,
) -> Result<(OutboundRequest, String), Box<NodeError>> {
    let fill = |text: &TextTemplate| text.render(around.view, around.limit);
    let method = METHODS
        .into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(&data.method))
        .ok_or_else(|| NodeError::new("InvalidHttpMethodError", format!("Invalid http method {}", data.method)))?;
    let address = fill(&data.url)?;
    let mut length = address.len();
    fits(length)?;
    let mut url = url(address.trim())?;
    if !data.params.0.is_empty() {
        let mut query = url.query_pairs_mut();
        for (name, value) in &data.params.0 {
            let (name, value) = (fill(name)?, fill(value)?);
            length += name.len() + value.len();
            fits(length)?;
            query.append_pair(&name, &value);
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, SELF);
    // A compressed answer would come as it is: nothing here unpacks it.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in &data.headers.0 {
        let (name, value) = (fill(name)?, fill(value)?);
        length += name.len() + value.len();
        fits(length)?;
        let (name, value) = header(name.trim(), &value)?;
        headers.insert(name, value);
    }
    let mut secret = vec![AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
    if data.authorization.kind == AuthorizationKind::ApiKey {
        let key = data.authorization.config.as_ref();
        let key = key.ok_or_else(|| NodeError::new("AuthorizationConfigError", "authorization config is required"))?;
        let (name, value) = authorization(key, &fill(&key.secret)?)?;
        secret.push(name.clone());
        headers.insert(name, value);
    }
    let body = data.body.fill(around)?;
    if let Some(kind) = &body.content_type {
        let kind = HeaderValue::from_str(kind).map_err(|_| wrong("the body's content type is not valid"))?;
        // A form is only read with its own boundary.
        if body.is_form || !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, kind);
        }
    }
    let read_timeout = match data.timeout.read {
        0 => MAX_READ_TIMEOUT,
        seconds => Duration::from_secs(seconds).min(MAX_READ_TIMEOUT),
    };
    // Servers want to hear that there is nothing where they expect something.
    let expects = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let body = body.bytes.or_else(|| expects.then(Bytes::new));
    let request = OutboundRequest { method, url, headers, body, read_timeout };
    let told = told(&request, &secret, around.masks);
    Ok((request, told))
}

fn fits(length: usize) -> Result<(), Box<NodeError>> {
    if length > HEAD_MAX {
        Err(wrong(format!("the url and the headers are longer than {HEAD_MAX} bytes")))
    } else {
        Ok(())
    }
}

fn url(text: &str) -> Result<Url, Box<NodeError>> {
    if text.is_empty() {
        return Err(NodeError::new("InvalidURLError", "url is required"));
    }
    let has_scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if !has_scheme("http://") && !has_scheme("https://") {
        return Err(NodeError::new("InvalidURLError", "url should start with http:// or https://"));
    }
    Url::parse(text).map_err(|fault| NodeError::new("InvalidURLError", format!("the url is not valid: {fault}")))
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Box<NodeError>> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a header's name is not valid"))?;
    if RESERVED.contains(&name) {
        return Err(wrong(format!("apps may not set the header {name}")));
    }
    // Bytes below 32 do not pass, so no value ends its header. What is not ASCII goes out as it is.
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| wrong(format!("the value of the header {name} contains characters that are not allowed")))?;
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
    let (name, mut value) = header(name, &value)?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The request as Dify writes it into the event, without its secrets.
fn told(request: &OutboundRequest, secret: &[HeaderName], masks: &SecretMasks) -> String {
    let path = &request.url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &request.url[url::Position::BeforeHost..url::Position::AfterPort];
    let mut told = format!("{} {path} HTTP/1.1\r\nHost: {host}\r\n", request.method);
    for (name, value) in &request.headers {
        let value = if secret.contains(name) { MASK.into() } else { String::from_utf8_lossy(value.as_bytes()) };
        // Writing to a string cannot fail.
        let _ = write!(told, "{name}: {value}\r\n");
    }
    told.push_str("\r\n");
    let mut told = masks.mask_text(&told).into_owned();
    if let Some(body) = &request.body {
        // Masked before it is cut off: half a secret is told to nobody either.
        let body = String::from_utf8_lossy(body);
        let body = masks.mask_text(&body);
        told.push_str(&body[..body.floor_char_boundary(TOLD)]);
    }
    told
}

fn wrong(message: impl Into<String>) -> Box<NodeError> {
    NodeError::new("HttpRequestNodeError", message)
}
