//! Bearer tokens in headers (RFC 6750 section 2.1).

use http::{HeaderMap, header::AUTHORIZATION};

use crate::domain::{Code, Error, Result, secret::BearerToken};

/// Parses `Authorization: Bearer …`. A missing or malformed header is `bearer_missing`.
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
}
