//! The answer to a request whose handler panicked.

use std::any::Any;

use axum::response::Response;

use crate::{domain::Error, http::error_body, telemetry::request_id};

tokio::task_local! {
    static IS_GRPC: bool;
}

/// Runs a request. [`answer`] writes a gRPC status for it when `is_grpc` is set.
pub(super) fn scope<F: Future>(is_grpc: bool, request: F) -> impl Future<Output = F::Output> {
    IS_GRPC.scope(is_grpc, request)
}

/// Logs the panic and answers with an internal error. The payload of the panic may hold anything and is not logged.
pub(super) fn answer(_payload: Box<dyn Any + Send>) -> Response {
    tracing::error!(request_id = &*request_id::current(), "a handler panicked");
    if IS_GRPC.try_with(|is_grpc| *is_grpc).unwrap_or_default() {
        tonic::Status::internal("Something went wrong on our side.").into_http()
    } else {
        error_body::respond(&Error::internal("a handler panicked"), None)
    }
}
