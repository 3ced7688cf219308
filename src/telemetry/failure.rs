//! Failures in the log: once, where they are turned into an answer, with the request's id and the cause.

use std::error::Error as _;

use crate::domain::{Code, Error};

/// Logs a failure that is ours; the caller's own mistakes are in the access log.
pub fn log(error: &Error) {
    if matches!(error.code(), Code::InternalServerError | Code::InternalStateInvariant | Code::ServiceUnavailable) {
        let mut cause = String::new();
        let mut source = error.source();
        while let Some(error) = source {
            if !cause.is_empty() {
                cause.push_str(": ");
            }
            cause.push_str(&error.to_string());
            source = error.source();
        }
        let request_id = super::request_id::current();
        tracing::error!(code = error.code().as_str(), cause, request_id = &*request_id, "request failed");
    }
}
