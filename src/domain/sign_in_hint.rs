//! The hints that lead to a sign-in: with the command of the client, or in words that hold for every client.

use std::borrow::Cow;

use super::error::Code;

/// The hint to get a new code, whatever the client.
pub(crate) const SIGN_IN_FOR_NEW_CODE: &str = "Sign in again for a new code.";
/// The hint to get a new token, whatever the client.
pub(crate) const SIGN_IN_FOR_NEW_TOKEN: &str = "Sign in again to get a new token.";

/// How a client whose bearer token was rejected gets a new one. `None` for other errors.
pub(super) fn sign_in_hint(code: Code, command: Option<&str>) -> Option<Cow<'static, str>> {
    Some(match (code, command) {
        (Code::BearerMissing, Some(command)) => {
            format!("Send `Authorization: Bearer dfoa_…`; get a token with `{command}`.").into()
        }
        (Code::BearerMissing, None) => {
            "Send `Authorization: Bearer dfoa_…`; POST /openapi/v1/oauth/device/code starts a sign-in.".into()
        }
        (Code::BearerInvalid | Code::BearerExpired, Some(command)) => format!("Sign in again with `{command}`.").into(),
        (Code::BearerInvalid | Code::BearerExpired, None) => SIGN_IN_FOR_NEW_TOKEN.into(),
        (Code::InvalidPrefix, Some(command)) => {
            format!("App keys belong to /v1/*. Sign in with `{command}` for /openapi/v1/*.").into()
        }
        (Code::InvalidPrefix, None) => "App keys belong to /v1/*. Sign in for a token for /openapi/v1/*.".into(),
        (Code::UnknownTokenPrefix, Some(command)) => format!("Sign in with `{command}` to get a token.").into(),
        (Code::UnknownTokenPrefix, None) => "Sign in to get a token; it begins with dfoa_ or dfoe_.".into(),
        _ => return None,
    })
}
