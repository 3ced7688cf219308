//! The JSON door: the generated routes behind the pipeline.

use axum::{Router, body::Body, response::Response};
use http::Request;

use super::{codec::JsonRoute, error_body, routes};
use crate::{
    domain::Error,
    pipeline::{
        Pipeline,
        layer::{PipelineDoor, PipelineLayer},
        policy::Policy,
    },
    rpc::Rpc,
};

/// The door of one route, with the policy of its method.
#[derive(Clone)]
struct JsonDoor(&'static Policy);

impl PipelineDoor<Body> for JsonDoor {
    type Body = Body;

    fn policy(&self, _: &Pipeline, _: &Request<Body>) -> Option<&'static Policy> {
        Some(self.0)
    }

    fn reject(&self, policy: Option<&'static Policy>, error: Error) -> Response {
        crate::telemetry::failure::log(&error);
        error_body::respond(&error, policy)
    }
}

/// The routes that exist in this deployment. `mounted` selects those of this listener.
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
