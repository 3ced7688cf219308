//! The error for a graph that cannot be run.

use std::fmt::Display;

use crate::domain::{Code, Error};

/// `app_unavailable`; `reason` completes "The app's graph cannot be run: …."
pub(super) fn invalid_graph(reason: impl Display) -> Error {
    Error::new(Code::AppUnavailable, format!("The app's graph cannot be run: {reason}."))
}
