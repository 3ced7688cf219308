//! Builds the request from the node's data and the variables.

use std::time::Duration;

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
    connection_header::ConnectionHeader,
    context::HttpRequestContext,
    data::{AuthorizationConfig, AuthorizationKind, HttpRequestNodeData},
    event::RequestEvent,
    header::{authorization_value, parse_header, request_error},
};
use crate::runtime::{
    builtin::{nodes::outcome::NodeError, secret_masks::MASK, variables::text::TextTemplate},
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
/// Headers whose values the event masks.
const SECRET_HEADERS: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
const SERVICE_USER_AGENT: HeaderValue = HeaderValue::from_static("dify-openapi");
/// Largest size of the URL and all headers, in bytes. Few servers accept more.
const MAX_HEAD: usize = 64 << 10;

/// A request that was built.
pub(super) struct BuiltRequest {
    pub request: OutboundRequest,
    /// Its text for the event.
    pub text: String,
    /// The header that is added when it is sent.
    pub connection: Option<ConnectionHeader>,
}

pub(super) fn build(
    data: &HttpRequestNodeData,
    context: &HttpRequestContext<'_>,
) -> Result<BuiltRequest, Box<NodeError>> {
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
        // As in Dify, the parameters of the node replace those of the URL.
        let mut query = url.query_pairs_mut();
        query.clear();
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
    let mut event = RequestEvent::default();
    for (name, value) in &data.headers.0 {
        let (name, value) = (render(name)?, render(value)?);
        length += name.len() + value.len();
        check_size(length)?;
        let (written_name, value) = (name.trim(), value.trim());
        let (name, parsed) = parse_header(written_name, value)?;
        let is_secret = SECRET_HEADERS.contains(&name);
        if !IGNORED_HEADERS.contains(&name) {
            headers.insert(name, parsed);
        }
        event.add_header(written_name, if is_secret { MASK } else { value });
    }
    if let Some((name, value)) = api_key_header(data, context)? {
        event.add_header(name, MASK);
        let (name, value) = authorization(name, &value)?;
        if !IGNORED_HEADERS.contains(&name) {
            headers.insert(name, value);
        }
    }
    let connection = connection_header(data)?;
    if let Some(header) = &connection {
        event.add_header(header_name(config_of(data)?), MASK);
        headers.remove(&header.name);
    }
    let body = data.body.render(context)?;
    if let Some(content_type) = &body.content_type {
        let value =
            HeaderValue::from_str(content_type).map_err(|_| request_error("the body's content type is not valid"))?;
        if body.has_boundary || !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, value);
            event.set_content_type(content_type);
        }
    }
    let read_timeout = match data.timeout.read {
        0 => MAX_READ_TIMEOUT,
        seconds => Duration::from_secs(seconds).min(MAX_READ_TIMEOUT),
    };
    // Servers expect a length with these methods, also without a body.
    let needs_length = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    let sent = body.bytes.clone().or_else(|| needs_length.then(Bytes::new));
    let request = OutboundRequest { method, url, headers, body: sent, read_timeout };
    let text = event.text(&request, &body, context.masks);
    Ok(BuiltRequest { request, text, connection })
}

fn config_of(data: &HttpRequestNodeData) -> Result<&AuthorizationConfig, Box<NodeError>> {
    let config = data.authorization.config.as_ref();
    config.ok_or_else(|| NodeError::new("AuthorizationConfigError", "authorization config is required"))
}

/// The name of the header as the author wrote it.
fn header_name(config: &AuthorizationConfig) -> &str {
    if config.header.trim().is_empty() { "Authorization" } else { config.header.trim() }
}

/// The header with the value of a connection, if the node names one.
fn connection_header(data: &HttpRequestNodeData) -> Result<Option<ConnectionHeader>, Box<NodeError>> {
    if data.authorization.kind != AuthorizationKind::Connection {
        return Ok(None);
    }
    let config = config_of(data)?;
    let (name, _) = parse_header(header_name(config), "")?;
    let is_sent = !IGNORED_HEADERS.contains(&name);
    ConnectionHeader::new(config, name, is_sent).map(Some)
}

/// The name and the value of the header with the node's API key, if it has one.
fn api_key_header<'a>(
    data: &'a HttpRequestNodeData,
    context: &HttpRequestContext<'_>,
) -> Result<Option<(&'a str, String)>, Box<NodeError>> {
    if data.authorization.kind != AuthorizationKind::ApiKey {
        return Ok(None);
    }
    let key = config_of(data)?;
    let secret = key.secret.render(context.view, context.limit)?;
    if secret.trim().is_empty() {
        let message = "API key is required for authorization but was empty. Please provide a valid API key.";
        return Err(NodeError::new("AuthorizationConfigError", message));
    }
    Ok(Some((header_name(key), authorization_value(key.kind.unwrap_or_default(), &secret))))
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

fn authorization(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Box<NodeError>> {
    let (name, mut value) = parse_header(name, value)?;
    value.set_sensitive(true);
    Ok((name, value))
}
