//! Errors for rows that do not exist.

use crate::domain::error::Error;

pub(super) fn app_not_found() -> Error {
    Error::not_found("There is no such app.")
}

pub(super) fn workspace_not_found() -> Error {
    Error::not_found("There is no such workspace.")
}
