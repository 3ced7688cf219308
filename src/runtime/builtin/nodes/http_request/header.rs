//! Headers of the request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};

use super::data::ApiKeyKind;
use crate::runtime::builtin::nodes::outcome::NodeError;

/// The value of the header with a secret.
pub(super) fn authorization_value(kind: ApiKeyKind, secret: &str) -> String {
    match kind {
        ApiKeyKind::Bearer => format!("Bearer {secret}"),
        ApiKeyKind::Basic if secret.contains(':') => format!("Basic {}", STANDARD.encode(secret)),
        ApiKeyKind::Basic => format!("Basic {secret}"),
        ApiKeyKind::Custom => secret.to_owned(),
    }
}

pub(super) fn parse_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Box<NodeError>> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| request_error("a header's name is not valid"))?;
    // Control characters are rejected, so that no value ends its header. Other characters are sent as UTF-8.
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        request_error(format!("the value of the header {name} contains characters that are not allowed"))
    })?;
    Ok((name, value))
}

pub(super) fn request_error(message: impl Into<String>) -> Box<NodeError> {
    NodeError::new("HttpRequestNodeError", message)
}
