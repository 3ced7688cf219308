//! Records a request when it ends: span, metrics, access log.
//!
//! An ordinary request ends with its response's headers, because its body is in memory by then. A stream and a gRPC
//! call end with their body, whose trailers contain the status of the call. A request whose client left ends when hyper
//! drops it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower::Service;

use super::{scoped_body::ScopedBody, settings::EdgeSettings};
use crate::{
    domain::caller::ClientAddress,
    http::{grpc_door::speaks_grpc, listen::PeerAddr},
    pipeline::policy::Policy,
    telemetry::{
        access::{self, AccessEvent, CLIENT_CLOSED, Door, Outcome},
        carry::RequestScope,
        metrics::requests::InFlight,
        origin, request_id,
        trace::{self, TracedRequest},
    },
};

pub(super) async fn record<S>(edge: Arc<EdgeSettings>, request: Request, mut inner: S) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let is_grpc = speaks_grpc(request.headers());
    let method = access::known_method(request.method());
    let door = if is_grpc { Door::Grpc } else { Door::Json };
    let peer = request.extensions().get::<PeerAddr>();
    let is_trusted = edge.trusts_peers || peer.is_some_and(|peer| edge.trusted_proxies.trusts(peer.0.ip()));
    let request_id = request_id::current();
    let (span, place) =
        trace::begin(TracedRequest { method, door, headers: request.headers(), is_trusted, id: &request_id });
    let mut open = OpenRequest {
        began: Instant::now(),
        _in_flight: edge.metrics.requests.begin(),
        method,
        client: request.extensions().get::<ClientAddress>().copied(),
        scope: RequestScope { request_id, origin: origin::current(), place: Some(place), span },
        route: RouteLabels { pattern: "other", door },
        status: None,
        is_recorded: false,
        edge,
    };

    let response = open.scope.clone().run(inner.call(request)).await?;

    open.route = RouteLabels::of(&response, is_grpc);
    let status = response.status().as_u16();
    open.status = Some(status);
    let grpc_status = is_grpc.then(|| access::grpc_status(response.headers())).flatten();
    if grpc_status.is_some() || (!is_grpc && response.body().size_hint().exact().is_some()) {
        open.end(Outcome::complete(status, grpc_status));
        return Ok(response);
    }
    Ok(response.map(|body| {
        let body = ScopedBody { scope: open.scope.clone(), body };
        Body::new(RecordedBody { body, open })
    }))
}

/// A request that has not ended.
struct OpenRequest {
    edge: Arc<EdgeSettings>,
    began: Instant,
    _in_flight: InFlight,
    method: &'static str,
    client: Option<ClientAddress>,
    scope: RequestScope,
    route: RouteLabels,
    /// The status of the response, once there is one.
    status: Option<u16>,
    is_recorded: bool,
}

impl OpenRequest {
    fn is_grpc(&self) -> bool {
        self.route.door == Door::Grpc
    }

    fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.is_recorded, true) {
            return;
        }
        let RouteLabels { pattern, door } = self.route;
        let duration = self.began.elapsed();
        trace::record_outcome(&self.scope.span, self.method, pattern, outcome);
        let exported = self.scope.exported_place();
        self.edge.metrics.requests.record(self.method, pattern, door, outcome, duration, exported);
        if let Some(client) = self.client {
            let (method, request_id, place) = (self.method, &*self.scope.request_id, self.scope.place.as_ref());
            AccessEvent { method, route: pattern, outcome, duration, client, request_id, door, place }.record();
        }
    }

    /// Ends with a body that had no trailers.
    fn end_without_trailers(&mut self) {
        let status = self.status.unwrap_or(CLIENT_CLOSED);
        self.end(Outcome::complete(status, self.is_grpc().then(|| access::grpc_status_of_http(status))));
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.end(Outcome {
            status: self.status.unwrap_or(CLIENT_CLOSED),
            grpc_status: self.is_grpc().then_some("CANCELLED"),
            is_aborted: true,
        });
    }
}

/// The body of a stream or of a gRPC call, whose end is the end of the request.
struct RecordedBody {
    body: ScopedBody,
    open: OpenRequest,
}

impl HttpBody for RecordedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(grpc_status) = frame.trailers_ref().and_then(access::grpc_status) {
                    let status = self.open.status.unwrap_or(CLIENT_CLOSED);
                    self.open.end(Outcome::complete(status, Some(grpc_status)));
                }
            }
            // A body that failed is recorded as aborted when it is dropped.
            Some(Err(_)) => {}
            None => self.open.end_without_trailers(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RecordedBody {
    fn drop(&mut self) {
        // Hyper does not poll a body that reports its end.
        if self.body.is_end_stream() {
            self.open.end_without_trailers();
        }
    }
}

/// The labels of a request in log and metrics. Unlike paths, patterns contain no ids and handles.
#[derive(Clone, Copy)]
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
