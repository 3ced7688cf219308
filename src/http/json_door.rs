//! The JSON door: the generated routes, each behind the pipeline with its policy.

use axum::{Router, body::Body, response::Response};
use http::Request;

use super::{codec::JsonRoute, error_body, routes};
use crate::{
    domain::Error,
    pipeline::{
        Pipeline,
        layer::{Door, PipelineLayer},
        policy::Policy,
    },
    rpc::Rpc,
};

/// A route's policy is fixed when it is mounted.
#[derive(Clone)]
struct JsonDoor(&'static Policy);

impl Door<Body> for JsonDoor {
    type Body = Body;

    fn policy(&self, _: &Pipeline, _: &Request<Body>) -> Option<&'static Policy> {
        Some(self.0)
    }

    fn refuse(&self, policy: Option<&'static Policy>, error: Error) -> Response {
        crate::telemetry::failure::log(&error);
        error_body::respond(&error, policy)
    }
}

/// Every route that exists in this deployment and on this listener.
pub(crate) fn router(rpc: &Rpc, pipeline: &Pipeline, mounted: impl Fn(&Policy) -> bool) -> Router {
    let mut router = Router::new();
    for JsonRoute { policy, handler } in routes::routes(rpc) {
        let Some(http) = &policy.http else { continue };
        if mounted(policy) && pipeline.has(policy) {
            router = router.route(http.path, handler.layer(PipelineLayer::new(pipeline.clone(), JsonDoor(policy))));
        }
    }
    router
}
