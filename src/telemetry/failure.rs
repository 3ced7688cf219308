//! Failures in the log: once, where they are turned into an answer, with the request's id and the cause.

use std::error::Error as _;

use crate::domain::{Code, Error};

/// Logs a failure that is ours, as an error, or of what is behind us, as a warning; the caller's own mistakes are in the
/// access log.
pub(crate) fn log(error: &Error) {
    let (code, cause) = (error.code(), error.source());
    let request_id = super::request_id::current();
    match code {
        Code::InternalServerError | Code::InternalStateInvariant | Code::ServiceUnavailable => {
            tracing::error!(code = code.as_str(), cause, request_id = &*request_id, "request failed");
        }
        Code::UpstreamError | Code::UpstreamTimeout => {
            tracing::warn!(code = code.as_str(), cause, request_id = &*request_id, "request failed upstream");
        }
        _ => {}
    }
}
