//! What Dify says when it does not run, in our own words (contract section 5).
//!
//! Dify's sentence is passed on where the caller or the app's owner can act on it; a failure of servers has a sentence of
//! its own, and what Dify said goes to the log.

use std::time::Duration;

use serde::Deserialize;

use crate::{
    domain::{Code, Error},
    ports::runtime::RunRequest,
    runtime::upstream::sentence,
};

/// Dify's error body, and the members of its `error` event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    status: Option<u16>,
}

/// The longest that a caller is told to wait.
const LONGEST_WAIT: u64 = 3_600;
/// How long to wait where Dify does not say, which it does not when an app runs too often at once.
const WAIT: u64 = 2;

/// What the log learns.
#[derive(Debug, thiserror::Error)]
#[error("Dify answered {status}, {code}: {message}")]
struct Said {
    status: u16,
    code: String,
    message: String,
}

/// What a run named besides its app, so that what was not found can be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    conversation: bool,
    version: bool,
}

impl From<&RunRequest> for Named {
    fn from(run: &RunRequest) -> Self {
        Self { conversation: run.conversation_id.is_some(), version: run.workflow_id.is_some() }
    }
}

impl Refusal {
    /// Reads a body; anything but Dify's own JSON is an empty refusal.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The error of an `error` event, which carries its status inside.
    pub(super) fn of_event(json: &[u8], named: Named) -> Error {
        let refusal = Self::read(json);
        let status = refusal.status.unwrap_or(500);
        refusal.into_error(status, None, named)
    }

    /// The error of an answer.
    pub(super) fn into_error(self, status: u16, retry_after: Option<&str>, named: Named) -> Error {
        let code = sentence(self.code.as_deref().unwrap_or_default()).unwrap_or_else(|| "no code".to_owned());
        let told = self.message.as_deref().and_then(sentence);
        let said =
            Said { status, code: code.clone(), message: told.clone().unwrap_or_else(|| "no message".to_owned()) };
        let with = |kind: Code, fallback: &'static str| match &told {
            Some(told) => Error::new(kind, told.clone()),
            None => Error::new(kind, fallback),
        };
        match (status, code.as_str()) {
            (
                400,
                "app_unavailable"
                | "not_chat_app"
                | "not_completion_app"
                | "not_workflow_app"
                | "provider_not_initialize"
                | "provider_quota_exceeded"
                | "model_currently_not_support",
            ) => with(Code::AppUnavailable, "This app cannot run.")
                .with_hint("Ask the app's owner to check its settings."),
            (400, "conversation_completed") => with(Code::InvalidParam, "This conversation has ended.")
                .with_hint("Leave conversation_id out to start a new one."),
            // The model's own failure, under a status of Dify's.
            (400, "completion_request_error") => failed("The app's model did not answer."),
            (400 | 413 | 415 | 422, _) if told.is_some() => with(Code::InvalidParam, "This run was refused."),
            // The key belongs to the app, so the app itself went away or was switched off since we looked.
            (403, _) if told.is_some() => Error::not_found("There is no such app."),
            (404, _) if named.conversation => Error::not_found("There is no such conversation."),
            (404, _) if named.version => Error::not_found("There is no such version of this app."),
            (429, _) => Error::rate_limited(wait(retry_after)),
            (408 | 504, _) => Error::new(Code::UpstreamTimeout, "Dify took too long to answer."),
            _ => failed("Dify did not run this app."),
        }
        .with_source(said)
    }
}

/// The caller can do nothing about it.
pub(super) fn failed(what: &'static str) -> Error {
    Error::new(Code::UpstreamError, what)
}

fn wait(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse().ok()).unwrap_or(WAIT);
    Duration::from_secs(seconds.clamp(1, LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Named = Named { conversation: false, version: false };

    fn refusal(status: u16, code: &str, message: &str, named: Named) -> Error {
        let body = serde_json::json!({"code": code, "message": message, "status": status});
        Refusal::read(body.to_string().as_bytes()).into_error(status, Some("7"), named)
    }

    #[test]
    fn every_refusal_has_a_code_of_the_contract() {
        let conversation = Named { conversation: true, version: false };
        let version = Named { conversation: false, version: true };
        for (status, code, named, expected) in [
            (400, "app_unavailable", NOTHING, Code::AppUnavailable),
            (400, "not_chat_app", NOTHING, Code::AppUnavailable),
            (400, "not_completion_app", NOTHING, Code::AppUnavailable),
            (400, "not_workflow_app", NOTHING, Code::AppUnavailable),
            (400, "provider_not_initialize", NOTHING, Code::AppUnavailable),
            (400, "provider_quota_exceeded", NOTHING, Code::AppUnavailable),
            (400, "model_currently_not_support", NOTHING, Code::AppUnavailable),
            (400, "conversation_completed", conversation, Code::InvalidParam),
            (400, "invalid_param", NOTHING, Code::InvalidParam),
            (400, "bad_request", NOTHING, Code::InvalidParam),
            (413, "file_too_large", NOTHING, Code::InvalidParam),
            (415, "unsupported_file_type", NOTHING, Code::InvalidParam),
            (400, "completion_request_error", NOTHING, Code::UpstreamError),
            (401, "unauthorized", NOTHING, Code::UpstreamError),
            (403, "forbidden", NOTHING, Code::NotFound),
            (404, "not_found", conversation, Code::NotFound),
            (404, "not_found", version, Code::NotFound),
            // Nothing was named that could be missing: it is the address that is wrong.
            (404, "not_found", NOTHING, Code::UpstreamError),
            (429, "too_many_requests", NOTHING, Code::RateLimited),
            (429, "rate_limit_error", NOTHING, Code::RateLimited),
            (500, "internal_server_error", NOTHING, Code::UpstreamError),
            (503, "unknown", NOTHING, Code::UpstreamError),
            (504, "unknown", NOTHING, Code::UpstreamTimeout),
            (302, "found", NOTHING, Code::UpstreamError),
            (200, "ok", NOTHING, Code::UpstreamError),
        ] {
            let error = refusal(status, code, "Said so.", named);
            assert_eq!(error.code(), expected, "{status} {code}");
            let passed_on = error.message() == "Said so.";
            assert_eq!(passed_on, matches!(expected, Code::AppUnavailable | Code::InvalidParam), "{status} {code}");
        }
        assert_eq!(refusal(429, "x", "", NOTHING).retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_is_not_difys_json_is_not_passed_on() {
        for body in [&b"<html>proxy secrets</html>"[..], b"", b"[1]", b"{\"message\":7}", b"\xff"] {
            let error = Refusal::read(body).into_error(400, None, NOTHING);
            assert_eq!(error.code(), Code::UpstreamError, "{body:?}");
            assert!(!error.message().contains("secrets"));
        }
        let error = refusal(400, "invalid_param", " a\u{0}b\nc\u{202e} ", NOTHING);
        assert_eq!(error.message(), "a b c");
        assert!(refusal(400, "invalid_param", &"x".repeat(9_000), NOTHING).message().len() < 1_100);
    }

    #[test]
    fn an_error_event_says_its_status_itself() {
        let event = br#"{"event":"error","status":400,"code":"provider_quota_exceeded","message":"No quota."}"#;
        assert_eq!(Refusal::of_event(event, NOTHING).code(), Code::AppUnavailable);
        assert_eq!(Refusal::of_event(b"{\"event\":\"error\"}", NOTHING).code(), Code::UpstreamError);
    }
}
