//! The error for an app that does not exist or that the caller may not know of.

use crate::domain::Error;

pub(super) fn no_such_app() -> Error {
    Error::not_found("There is no such app.")
        .with_hint("GET /openapi/v1/apps?workspace_id=… lists the apps of a workspace.")
}
