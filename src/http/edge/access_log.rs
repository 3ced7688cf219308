//! Records a request when it is answered: span, metrics, access log.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use super::settings::EdgeSettings;
use crate::{
    domain::caller::ClientAddress,
    http::{grpc_door::speaks_grpc, listen::PeerAddr},
    pipeline::policy::Policy,
    telemetry::{
        access::{self, Access, Door},
        request_id, trace,
    },
};

pub(super) async fn record(State(edge): State<Arc<EdgeSettings>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let _in_flight = edge.metrics.begin();
    let is_grpc = speaks_grpc(request.headers());
    let method = access::known_method(request.method());
    let client = request.extensions().get::<ClientAddress>().copied();
    let door = if is_grpc { Door::Grpc } else { Door::Json };
    let peer = request.extensions().get::<PeerAddr>();
    let is_trusted = edge.trusts_peers || peer.is_some_and(|peer| edge.trusted_proxies.trusts(peer.0.ip()));
    let span = trace::span_if_exported(method, door, request.headers(), is_trusted);

    let response = next.run(request).instrument(span.clone()).await;

    let route = RouteLabels::of(&response, is_grpc);
    let (status, duration) = (response.status().as_u16(), began.elapsed());
    trace::record_response(&span, route.pattern, status);
    edge.metrics.request(route.pattern, route.door, status, duration);
    if let Some(client) = client {
        Access {
            method,
            route: route.pattern,
            status,
            duration,
            client,
            request_id: &request_id::current(),
            door: route.door,
        }
        .record();
    }
    response
}

/// The labels of a request in log and metrics. Unlike paths, patterns contain no ids and handles.
struct RouteLabels {
    pattern: &'static str,
    door: Door,
}

impl RouteLabels {
    /// Reads the policy that the pipeline put on the response. All requests without one share the label `other`.
    fn of(response: &Response, is_grpc: bool) -> Self {
        let policy = response.extensions().get::<&'static Policy>();
        let door = match policy {
            _ if is_grpc => Door::Grpc,
            Some(policy) if policy.is_page() => Door::Page,
            _ => Door::Json,
        };
        let pattern = match policy {
            Some(policy) if is_grpc => policy.grpc_path,
            Some(policy) => policy.http.as_ref().map_or(policy.method, |http| http.path),
            None => "other",
        };
        Self { pattern, door }
    }
}
