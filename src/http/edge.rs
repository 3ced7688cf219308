//! The layers that every request passes, whichever door it takes.

mod access_log;
mod context;
mod host;
mod memory;
mod panic;
mod security_headers;
mod settings;

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};
use http::{
    HeaderName, Request,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
};

pub(crate) use self::settings::EdgeSettings;
use self::{
    memory::MemoryLayer,
    security_headers::{STRICT_TRANSPORT, unless_set},
};
use crate::telemetry::request_id::RequestIds;

/// The header that carries a request's id, in every response.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the edge around a listener's routes. The first layer is the outermost.
pub(crate) fn wrap(router: Router, settings: &Arc<EdgeSettings>) -> Router {
    router.layer(
        ServiceBuilder::new()
            // An id that the client sends is dropped: every id in the log is one of ours.
            .map_request(remove_request_id)
            .layer(SetRequestIdLayer::new(REQUEST_ID, NewRequestId(Arc::clone(&settings.request_ids))))
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            // Needs the id. Provides id and client address to everything below.
            .layer(from_fn_with_state(Arc::clone(settings), context::provide))
            // Above every layer that may answer by itself, so that rejected and panicked requests are recorded, too.
            .layer(from_fn_with_state(Arc::clone(settings), access_log::record))
            .layer(unless_set(X_FRAME_OPTIONS, Some("DENY")))
            .layer(unless_set(CONTENT_SECURITY_POLICY, Some("frame-ancestors 'none'")))
            .layer(unless_set(X_CONTENT_TYPE_OPTIONS, Some("nosniff")))
            .layer(unless_set(CACHE_CONTROL, Some("no-store")))
            .layer(unless_set(STRICT_TRANSPORT_SECURITY, settings.is_https.then_some(STRICT_TRANSPORT)))
            // Below the layers above, so that requests over the limit are recorded and answered like all others.
            .layer(MemoryLayer { memory: settings.memory.clone(), anonymous: settings.anonymous.clone() })
            .layer(from_fn_with_state(Arc::clone(settings), host::check))
            // Innermost, so that the answer to a panic passes every layer above.
            .layer(CatchPanicLayer::custom(panic::answer)),
    )
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
