//! Provides the context of a request: its id, the client's address, its codec.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tower_http::request_id::RequestId;

use super::{panic, settings::EdgeSettings};
use crate::{
    http::{grpc_door::speaks_grpc, listen::PeerAddr},
    telemetry::request_id,
};

pub(super) async fn provide(State(edge): State<Arc<EdgeSettings>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<PeerAddr>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    let address = edge.trusted_proxies.resolve(peer, request.headers());
    request.extensions_mut().insert(address);
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    let id: Arc<str> = id.unwrap_or_default().into();
    let is_grpc = speaks_grpc(request.headers());
    request_id::scope(id, panic::scope(is_grpc, next.run(request))).await
}
