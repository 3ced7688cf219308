//! Logs an error once, where it becomes a response, with the id of the request and the cause.

use std::error::Error as _;

use crate::domain::{Code, Error};

/// Logs a failure of this server as an error and one of an upstream server as a warning. Mistakes of callers are only
/// in the access log.
pub(crate) fn log(error: &Error) {
    let (code, cause) = (error.code(), error.source());
    let request_id = super::request_id::current();
    match code {
        Code::InternalServerError | Code::InternalStateInvariant | Code::ServiceUnavailable => {
            tracing::error!(code = code.as_str(), cause, request_id = &*request_id, "request failed");
        }
        Code::UpstreamError | Code::UpstreamTimeout | Code::PermittedExternalAppsUnavailable => {
            tracing::warn!(code = code.as_str(), cause, request_id = &*request_id, "request failed upstream");
        }
        _ => {}
    }
}
