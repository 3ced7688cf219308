//! Credentials in headers: bearer tokens (RFC 6750 section 2.1) and the key of internal services.

use http::{HeaderMap, header::AUTHORIZATION};

use crate::domain::{
    Code, Error, Result,
    secret::{BearerToken, Secret},
};

/// The header of internal services.
pub const SERVICE_KEY: &str = "enterprise-api-secret-key";

/// The token of `Authorization: Bearer …`. Fails with `bearer_missing` for a missing or malformed header.
pub fn bearer_token(headers: &HeaderMap) -> Result<BearerToken> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(bearer_missing()) };
    let text = value.to_str().map_err(|_| bearer_missing())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(bearer_missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Err(bearer_missing());
    }
    BearerToken::parse(token.trim())
}

fn bearer_missing() -> Error {
    Error::new(Code::BearerMissing, "A bearer token is required.")
        .with_hint("Send `Authorization: Bearer dfoa_…`; get a token with `difyctl auth login`.")
}

/// Checks the key of internal services. Without an expected key every request is rejected, although the routes are
/// absent.
pub fn service_key(headers: &HeaderMap, expected: Option<&Secret>) -> Result<()> {
    let presented = headers
        .get(SERVICE_KEY)
        .ok_or_else(|| Error::new(Code::BearerMissing, "The service credential is required."))?;
    let matches = presented.to_str().is_ok_and(|text| expected.is_some_and(|key| key.matches(text)));
    if matches { Ok(()) } else { Err(Error::new(Code::BearerInvalid, "The service credential is not valid.")) }
}
