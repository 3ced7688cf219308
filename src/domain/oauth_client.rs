//! What this service does as an OAuth 2.0 client, at identity providers and at the providers of connections.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::secret::Secret;

/// How the client authenticates at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// `client_secret_basic`: in the `Authorization` header.
    Basic,
    /// `client_secret_post`: in the form.
    #[default]
    Post,
}

/// User name and password of HTTP Basic are form-encoded first (RFC 6749 section 2.3.1).
pub(crate) fn encode_credential(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The S256 challenge of a code verifier (RFC 7636 section 4.2).
pub(crate) fn code_challenge(code_verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code_verifier.expose()))
}
