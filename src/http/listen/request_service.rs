//! What a listener serves.

use std::convert::Infallible;

use axum::{extract::Request, response::Response};
use tower::util::BoxCloneSyncService;

/// The routes of a listener with their layers. It is always ready.
pub(crate) type RequestService = BoxCloneSyncService<Request, Response, Infallible>;
