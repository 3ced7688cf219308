//! Provides the context of a request: its id, its origin, its codec.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use axum::{extract::Request, response::Response};
use tower::Service;
use tower_http::request_id::RequestId;

use super::{panic, settings::EdgeSettings};
use crate::{
    http::{grpc_door::speaks_grpc, listen::PeerAddr},
    telemetry::{
        origin::{self, Origin},
        request_id,
    },
};

pub(super) async fn provide<S>(
    edge: Arc<EdgeSettings>,
    mut request: Request,
    mut inner: S,
) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let peer = request.extensions().get::<PeerAddr>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    edge.forwarded_warning.check(peer, request.headers(), &edge.trusted_proxies);
    let address = edge.trusted_proxies.resolve(peer, request.headers());
    request.extensions_mut().insert(address);
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    let id: Arc<str> = id.unwrap_or_default().into();
    let is_grpc = speaks_grpc(request.headers());
    let origin = Arc::new(Origin::new(address, peer, request.headers()));
    request_id::scope(id, origin::scope(Some(origin), panic::scope(is_grpc, inner.call(request)))).await
}
