//! The JSON door: the generated routes behind the pipeline.

use axum::{Router, body::Body, response::Response, routing::MethodRouter};
use http::Request;

use super::{codec::JsonRoute, custom_verb::routed_path, error_body, routes};
use crate::{
    domain::{Code, Error},
    pipeline::{
        Pipeline,
        layer::{PipelineDoor, PipelineLayer},
        policy::{ErrorShape, Policy},
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
        error_body::reject(&error, policy)
    }
}

/// Answers other verbs in the format of the methods for Dify Enterprise. Other methods share one fallback.
fn with_inner_fallback(handler: MethodRouter, policy: &'static Policy) -> MethodRouter {
    if policy.errors != ErrorShape::Inner {
        return handler;
    }
    handler.fallback(async move || {
        let error = Error::new(Code::MethodNotAllowed, "This address does not support this method.");
        error_body::respond(&error, Some(policy))
    })
}

/// The routes that exist in this deployment. `mounted` selects those of this listener.
pub(crate) fn router(rpc: &Rpc, pipeline: &Pipeline, mounted: impl Fn(&Policy) -> bool) -> Router {
    // axum reserves a `:` at the beginning of a segment, because its version 0.7 had parameters there.
    let mut router = Router::new().without_v07_checks();
    for JsonRoute { policy, handler } in routes::routes(rpc) {
        let Some(http) = &policy.http else { continue };
        if mounted(policy) && pipeline.has(policy) {
            let handler = handler.layer(PipelineLayer::new(pipeline.clone(), JsonDoor(policy)));
            router = router.route(&routed_path(http.path), with_inner_fallback(handler, policy));
        }
    }
    router
}
