//! Converts Dify's error responses and `error` events to errors of the contract (section 5).
//!
//! Dify's message is passed on when the caller or the app's owner can act on it. Failures of servers get a message of
//! this service, and the log contains Dify's.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Response, header::RETRY_AFTER};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    domain::{Code, Error, sentence::sentence},
    ports::runtime::RunRequest,
};

/// The body of an error response, and the members of an `error` event.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorResponse {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    /// Of the response, or of the event.
    #[serde(default)]
    status: Option<u16>,
    /// The header of the response.
    #[serde(skip)]
    retry_after: Option<String>,
}

/// Largest `Retry-After`, in seconds.
const MAX_RETRY_AFTER: u64 = 3_600;
/// `Retry-After` when Dify sends none, in seconds. Dify sends none when an app has too many concurrent runs.
const DEFAULT_RETRY_AFTER: u64 = 2;
/// Largest part of an error response that is read, in bytes.
const MAX_BODY: usize = 64 << 10;
/// Timeout for reading an error response.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Dify's error, for the log.
#[derive(Debug, thiserror::Error)]
#[error("Dify answered {status}, {code}: {message}")]
struct DifyError {
    status: u16,
    code: String,
    message: String,
}

/// Which ids a run request contains besides the app's. A 404 refers to one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestedIds {
    conversation: bool,
    version: bool,
}

/// A request without other ids.
pub(super) const NO_IDS: RequestedIds = RequestedIds { conversation: false, version: false };

impl From<&RunRequest> for RequestedIds {
    fn from(run: &RunRequest) -> Self {
        Self { conversation: run.conversation_id.is_some(), version: run.workflow_id.is_some() }
    }
}

impl ErrorResponse {
    /// Reads an error response, as far as it arrives within the timeout.
    pub(super) async fn read(mut response: Response) -> Self {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let body = read_body(&mut response).await;
        Self { status: Some(status), retry_after, ..Self::parse(&body) }
    }

    /// Parses a body. A body that is not Dify's JSON yields no members.
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    fn status(&self) -> u16 {
        self.status.unwrap_or(500)
    }

    /// The error of an `error` event, which has its status as a member.
    pub(super) fn event_error(json: &[u8], requested: RequestedIds) -> Error {
        Self::parse(json).into_error(requested)
    }

    /// The error of an upload. Its codes are Dify's own.
    pub(super) fn into_upload_error(self) -> Error {
        const CODES: [Code; 6] = [
            Code::NoFileUploaded,
            Code::TooManyFiles,
            Code::FilenameNotExists,
            Code::FileExtensionBlocked,
            Code::FileTooLarge,
            Code::UnsupportedFileType,
        ];
        let same = CODES.into_iter().find(|code| Some(code.as_str()) == self.code.as_deref());
        match (same, self.message.as_deref().and_then(sentence)) {
            (Some(code), Some(message)) => Error::new(code, message),
            (None, _) if self.status() == 413 => {
                Error::new(Code::FileTooLarge, "The file is larger than Dify accepts.")
            }
            _ => self.into_error(NO_IDS),
        }
    }

    /// The error of a form. Its codes are Dify's own.
    pub(super) fn into_form_error(self) -> Error {
        match (self.status(), self.code.as_deref()) {
            (412, Some("human_input_form_submitted")) => {
                Error::new(Code::HumanInputFormSubmitted, "The form has been submitted already.")
            }
            (412, _) => {
                Error::new(Code::HumanInputFormExpired, "The form has expired.").with_hint("Run the app again.")
            }
            (404, _) => Error::not_found("There is no such form."),
            _ => self.into_error(NO_IDS),
        }
    }

    /// The error of a request for the events of a run.
    pub(super) fn into_follow_error(self) -> Error {
        match self.status() {
            404 => Error::not_found("There is no such run."),
            _ => self.into_error(NO_IDS),
        }
    }

    pub(super) fn into_error(self, requested: RequestedIds) -> Error {
        let status = self.status();
        let code = sentence(self.code.as_deref().unwrap_or_default()).unwrap_or_else(|| "no code".to_owned());
        let message = self.message.as_deref().and_then(sentence);
        let source = DifyError {
            status,
            code: code.clone(),
            message: message.clone().unwrap_or_else(|| "no message".to_owned()),
        };
        let with_message = |kind: Code, fallback: &'static str| match &message {
            Some(message) => Error::new(kind, message.clone()),
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
            ) => with_message(Code::AppUnavailable, "This app cannot run.")
                .with_hint("Ask the app's owner to check its settings."),
            (400, "conversation_completed") => with_message(Code::InvalidParam, "This conversation has ended.")
                .with_hint("Leave conversation_id out to start a new one."),
            // The model failed.
            (400, "completion_request_error") => upstream_error("The app's model did not answer."),
            (400 | 413 | 415 | 422, _) if message.is_some() => {
                with_message(Code::InvalidParam, "This run was refused.")
            }
            // The key belongs to the app, so the app was deleted or its API disabled after it was looked up.
            (403, _) if message.is_some() => Error::not_found("There is no such app."),
            (404, _) if requested.conversation => Error::not_found("There is no such conversation."),
            (404, _) if requested.version => Error::not_found("There is no such version of this app."),
            (429, _) => Error::rate_limited(parse_retry_after(self.retry_after.as_deref())),
            (408 | 504, _) => Error::new(Code::UpstreamTimeout, "Dify took too long to answer."),
            _ => upstream_error("Dify did not run this app."),
        }
        .with_source(source)
    }
}

/// An error that the caller cannot fix.
pub(super) fn upstream_error(message: &'static str) -> Error {
    Error::new(Code::UpstreamError, message)
}

async fn read_body(response: &mut Response) -> Bytes {
    let mut body = BytesMut::new();
    let read = async {
        while body.len() < MAX_BODY {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            body.extend_from_slice(&chunk[..chunk.len().min(MAX_BODY - body.len())]);
        }
    };
    let _ = timeout(BODY_TIMEOUT, read).await;
    body.freeze()
}

fn parse_retry_after(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse().ok()).unwrap_or(DEFAULT_RETRY_AFTER);
    Duration::from_secs(seconds.clamp(1, MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: RequestedIds = NO_IDS;

    fn error_of(status: u16, code: &str, message: &str, requested: RequestedIds) -> Error {
        let body = serde_json::json!({"code": code, "message": message, "status": status});
        response(status, body.to_string().as_bytes()).into_error(requested)
    }

    fn response(status: u16, body: &[u8]) -> ErrorResponse {
        let retry_after = Some("7".to_owned());
        ErrorResponse { status: Some(status), retry_after, ..ErrorResponse::parse(body) }
    }

    #[test]
    fn every_error_response_has_a_code_of_the_contract() {
        let conversation = RequestedIds { conversation: true, version: false };
        let version = RequestedIds { conversation: false, version: true };
        for (status, code, requested, expected) in [
            (400, "app_unavailable", NONE, Code::AppUnavailable),
            (400, "not_chat_app", NONE, Code::AppUnavailable),
            (400, "not_completion_app", NONE, Code::AppUnavailable),
            (400, "not_workflow_app", NONE, Code::AppUnavailable),
            (400, "provider_not_initialize", NONE, Code::AppUnavailable),
            (400, "provider_quota_exceeded", NONE, Code::AppUnavailable),
            (400, "model_currently_not_support", NONE, Code::AppUnavailable),
            (400, "conversation_completed", conversation, Code::InvalidParam),
            (400, "invalid_param", NONE, Code::InvalidParam),
            (400, "bad_request", NONE, Code::InvalidParam),
            (413, "file_too_large", NONE, Code::InvalidParam),
            (415, "unsupported_file_type", NONE, Code::InvalidParam),
            (400, "completion_request_error", NONE, Code::UpstreamError),
            (401, "unauthorized", NONE, Code::UpstreamError),
            (403, "forbidden", NONE, Code::NotFound),
            (404, "not_found", conversation, Code::NotFound),
            (404, "not_found", version, Code::NotFound),
            // The request contains no other id, so DIFY_API_URL is wrong.
            (404, "not_found", NONE, Code::UpstreamError),
            (429, "too_many_requests", NONE, Code::RateLimited),
            (429, "rate_limit_error", NONE, Code::RateLimited),
            (500, "internal_server_error", NONE, Code::UpstreamError),
            (503, "unknown", NONE, Code::UpstreamError),
            (504, "unknown", NONE, Code::UpstreamTimeout),
            (302, "found", NONE, Code::UpstreamError),
            (200, "ok", NONE, Code::UpstreamError),
        ] {
            let error = error_of(status, code, "Said so.", requested);
            assert_eq!(error.code(), expected, "{status} {code}");
            let passed_on = error.message() == "Said so.";
            assert_eq!(passed_on, matches!(expected, Code::AppUnavailable | Code::InvalidParam), "{status} {code}");
        }
        assert_eq!(error_of(429, "x", "", NONE).retry_after(), Some(Duration::from_secs(7)));
    }

    #[test]
    fn body_that_is_not_difys_json_is_not_passed_on() {
        for body in [&b"<html>proxy secrets</html>"[..], b"", b"[1]", b"{\"message\":7}", b"\xff"] {
            let error = response(400, body).into_error(NONE);
            assert_eq!(error.code(), Code::UpstreamError, "{body:?}");
            assert!(!error.message().contains("secrets"));
        }
        let error = error_of(400, "invalid_param", " a\u{0}b\nc\u{202e} ", NONE);
        assert_eq!(error.message(), "a b c");
        assert!(error_of(400, "invalid_param", &"x".repeat(9_000), NONE).message().len() < 1_100);
    }

    #[test]
    fn error_event_has_its_status_as_a_member() {
        let event = br#"{"event":"error","status":400,"code":"provider_quota_exceeded","message":"No quota."}"#;
        assert_eq!(ErrorResponse::event_error(event, NONE).code(), Code::AppUnavailable);
        assert_eq!(ErrorResponse::event_error(b"{\"event\":\"error\"}", NONE).code(), Code::UpstreamError);
    }
}
