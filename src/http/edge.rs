//! The layers that every request passes, whichever door it takes.

mod access_log;
mod catalog;
mod context;
mod forwarded_warning;
mod host;
mod memory;
mod panic;
mod scoped_body;
mod security_headers;
mod settings;

use std::sync::Arc;

use axum::{BoxError, Router, body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, Request};
use tower::ServiceBuilder;
use tower_http::{
    body::UnsyncBoxBody,
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
};

use self::memory::MemoryLayer;
pub(crate) use self::settings::EdgeSettings;
use crate::{
    http::{around::around, custom_verb::divide_path, grpc_door::translate_web, listen::RequestService},
    telemetry::request_id::RequestIds,
};

/// The header that carries a request's id, in every response.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the edge around a listener's routes. The first layer is the outermost.
pub(crate) fn wrap(router: Router, settings: &Arc<EdgeSettings>) -> RequestService {
    let edge = ServiceBuilder::new()
        // An id that the client sends is dropped: every id in the log is one of ours.
        .map_request(remove_request_id)
        .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId(Arc::clone(&settings.request_ids))))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        // Above every layer that reads the headers or trailers of gRPC.
        .layer(around((), translate_web))
        // Needs the id. Provides id and client address to everything below.
        .layer(around(Arc::clone(settings), context::provide))
        // Above every layer that may answer by itself, so that rejected and panicked requests are recorded, too.
        .layer(around(Arc::clone(settings), access_log::record))
        .map_response(security_headers::setter(settings.is_https))
        // Above every layer that rejects, because their responses have the version, too.
        .layer(around(Arc::clone(settings), catalog::check))
        // Below the layers above, so that requests over the limit are recorded and answered like all others.
        .layer(MemoryLayer { memory: settings.memory.clone(), anonymous: settings.anonymous.clone() })
        .layer(around(Arc::clone(settings), host::check))
        .map_response(with_axum_body)
        // Innermost, so that the answer to a panic passes every layer above.
        .layer(CatchPanicLayer::custom(panic::answer))
        .map_request(divide_path)
        // Builds the routes once instead of for each request.
        .service(router.with_state(()));
    RequestService::new(edge)
}

/// The layer that catches panics wraps the body.
fn with_axum_body(response: http::Response<UnsyncBoxBody<Bytes, BoxError>>) -> Response {
    response.map(Body::new)
}

fn remove_request_id<B>(mut request: Request<B>) -> Request<B> {
    request.headers_mut().remove(REQUEST_ID);
    request
}

#[derive(Clone)]
struct NewRequestId(Arc<RequestIds>);

impl MakeRequestId for NewRequestId {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        self.0.next_header().ok().map(RequestId::new)
    }
}
