//! A route of the JSON door: a method's policy and its handler.

use axum::{
    extract::Request,
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use tonic::Status;

use crate::{domain::Error, http::error_body, pipeline::policy::Policy, rpc::status::domain_error};

/// A method's handler with its policy. The pipeline is not applied yet.
pub struct JsonRoute {
    pub policy: &'static Policy,
    pub handler: MethodRouter,
}

pub(super) fn route<H, Fut>(policy: &'static Policy, handler: H) -> JsonRoute
where
    H: Fn(Request) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response> + Send,
{
    let filter = match policy.http.map(|http| http.verb) {
        Some("POST") => MethodFilter::POST,
        Some("PUT") => MethodFilter::PUT,
        Some("DELETE") => MethodFilter::DELETE,
        Some("PATCH") => MethodFilter::PATCH,
        _ => MethodFilter::GET,
    };
    JsonRoute { policy, handler: on(filter, handler) }
}

/// The error body of a failed call.
pub(super) fn failure(policy: &'static Policy, status: &Status) -> Response {
    match domain_error(status) {
        Some(error) => error_body::respond(error, Some(policy)),
        // Services return domain errors only.
        None => error_body::respond(&Error::internal("a bare status"), Some(policy)),
    }
}
