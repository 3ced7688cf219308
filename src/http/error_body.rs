//! Error bodies of the JSON door: the envelope, and OAuth's format for the RFC 8628 endpoints (contract section 5).

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde::Serialize;

use super::{answer, status::http_status};
use crate::{
    domain::{
        Code, Error,
        error::{Detail, UNKNOWN_MEMBER},
    },
    pipeline::policy::{ErrorShape, Policy},
};

#[cfg(test)]
mod tests;

#[derive(Serialize)]
struct DetailBody<'a> {
    r#type: &'a str,
    loc: &'a [String],
    msg: &'a str,
}

#[derive(Default, Serialize)]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u128>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<DetailBody<'a>>,
}

/// The error of a response, as an extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorSummary {
    pub code: Code,
    pub retry_after: Option<Duration>,
    /// Whether the request has a member that the method does not know.
    pub has_unknown_member: bool,
}

impl ErrorSummary {
    fn of(error: &Error) -> Self {
        let has_unknown_member = error.details().iter().any(|detail| detail.kind == UNKNOWN_MEMBER);
        Self { code: error.code(), retry_after: error.retry_after(), has_unknown_member }
    }
}

/// The response to an error, in the format of the method.
pub(crate) fn respond(error: &Error, policy: Option<&Policy>) -> Response {
    let status = http_status(error.code());
    let shape = policy.map_or(ErrorShape::Envelope, |policy| policy.errors);
    let retry_after = error.retry_after();
    if shape == ErrorShape::Inner {
        return inner(error, inner_word(error.code()));
    }
    let mut body = match protocol_error(error.code()) {
        Some(code) if shape == ErrorShape::OAuth => ErrorBody {
            error: Some(code),
            error_description: Some(error.message()),
            interval: error.interval(),
            ..Default::default()
        },
        _ => ErrorBody {
            code: Some(error.code().as_str()),
            message: Some(error.message()),
            hint: error.hint(),
            status: Some(status.as_u16()),
            required_scope: error.required_scope(),
            retry_after_ms: retry_after
                .filter(|_| status == StatusCode::TOO_MANY_REQUESTS)
                .map(|after| after.as_millis().max(1)),
            details: error.details().iter().map(detail).collect(),
            ..Default::default()
        },
    };
    if shape == ErrorShape::Console {
        body.error = body.code;
    }
    if shape == ErrorShape::OAuth && body.error.is_none() {
        body.error = Some(oauth_equivalent(status));
        body.error_description = Some(error.message());
    }
    let mut response = answer::json(status, serde_json::to_vec(&body).unwrap_or_default());
    response.extensions_mut().insert(ErrorSummary::of(error));
    if let Some(after) = retry_after {
        answer::retry_after(&mut response, after);
    }
    if policy.is_some_and(Policy::challenges)
        && let Some(challenge) = challenge(error)
    {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The response to a request that the pipeline rejected, in the format of the method. The methods of Dify Enterprise
/// have another word for the service key than for the token in the body.
pub(crate) fn reject(error: &Error, policy: Option<&Policy>) -> Response {
    let is_key = matches!(error.code(), Code::BearerMissing | Code::BearerInvalid);
    if is_key && policy.is_some_and(|policy| policy.errors == ErrorShape::Inner) {
        return inner(error, "invalid inner api key");
    }
    respond(error, policy)
}

/// The error of a method for Dify Enterprise (contract section E5).
fn inner_word(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest | Code::BearerInvalid | Code::UnknownTokenPrefix | Code::InvalidPrefix => "invalid_token",
        Code::BearerExpired => "token_expired",
        Code::MethodNotAllowed => "method not allowed",
        code => code.as_str(),
    }
}

fn inner(error: &Error, word: &'static str) -> Response {
    let body = ErrorBody { error: Some(word), ..Default::default() };
    let mut response = answer::json(http_status(error.code()), serde_json::to_vec(&body).unwrap_or_default());
    response.extensions_mut().insert(ErrorSummary::of(error));
    if let Some(after) = error.retry_after() {
        answer::retry_after(&mut response, after);
    }
    response
}

fn detail(detail: &Detail) -> DetailBody<'_> {
    DetailBody { r#type: detail.kind, loc: &detail.loc, msg: &detail.msg }
}

/// The code, if OAuth defines it. All other errors use the envelope.
fn protocol_error(code: Code) -> Option<&'static str> {
    matches!(
        code,
        Code::AuthorizationPending
            | Code::SlowDown
            | Code::ExpiredToken
            | Code::AccessDenied
            | Code::InvalidGrant
            | Code::UnsupportedGrantType
            | Code::UnsupportedClient
    )
    .then(|| code.as_str())
}

/// The value of `error` beside the envelope, for OAuth clients.
fn oauth_equivalent(status: StatusCode) -> &'static str {
    match status.as_u16() {
        429 | 503 => "temporarily_unavailable",
        401 => "invalid_client",
        500..=599 => "server_error",
        _ => "invalid_request",
    }
}

/// The challenge (RFC 6750 section 3.1). It names an error only if the request has a token.
fn challenge(error: &Error) -> Option<HeaderValue> {
    Some(match error.code() {
        Code::BearerMissing => HeaderValue::from_static("Bearer"),
        Code::BearerExpired => {
            HeaderValue::from_static("Bearer error=\"invalid_token\", error_description=\"The token has expired\"")
        }
        Code::BearerInvalid | Code::UnknownTokenPrefix | Code::InvalidPrefix => {
            HeaderValue::from_static("Bearer error=\"invalid_token\"")
        }
        Code::InsufficientScope => {
            let scope = error.required_scope().unwrap_or_default();
            HeaderValue::from_str(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")).ok()?
        }
        _ => return None,
    })
}
