//! The edge: what happens to every request whatever door it takes. Its id, the client's address, the host it asked for,
//! security headers, a guard against panics, and the access log.

use std::{
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use axum::{body::Body, response::Response};
use futures_util::FutureExt as _;
use http::{
    HeaderName, HeaderValue, Request,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::{client_address::TrustedProxies, error_body, grpc_door::speaks_grpc, listen::PeerAddr};
use crate::{
    domain::{Code, Error, caller::ClientAddress},
    pipeline::policy::Policy,
    telemetry::{
        access::{Access, Door},
        metrics::Metrics,
        request_id::{self, RequestIds},
        trace,
    },
};

/// The header that carries a request's id, in every response.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the edge knows of the deployment.
pub(crate) struct EdgeSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// `dev` answers loopback host names only, so that no name of the outside world can be pointed at it.
    pub loopback_hosts_only: bool,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Names requests.
    pub request_ids: RequestIds,
}

/// The edge as a layer.
#[derive(Clone)]
pub(crate) struct EdgeLayer(pub Arc<EdgeSettings>);

impl<S> Layer<S> for EdgeLayer {
    type Service = Edge<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Edge { inner, settings: Arc::clone(&self.0) }
    }
}

/// A service behind the edge.
#[derive(Clone)]
pub(crate) struct Edge<S> {
    inner: S,
    settings: Arc<EdgeSettings>,
}

impl<S> Service<Request<Body>> for Edge<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let settings = Arc::clone(&self.settings);
        Box::pin(async move {
            let began = Instant::now();
            let id = settings.request_ids.next();
            let address = address(&request, &settings.trusted_proxies);
            request.extensions_mut().insert(address);
            let method = request.method().clone();
            let _in_flight = settings.metrics.begin();
            let grpc = speaks_grpc(request.headers());
            let door = if grpc { Door::Grpc } else { Door::Json };
            let span = trace::span_if_exported(method.as_str(), door, request.headers());

            let refused = settings.loopback_hosts_only && !asks_for_loopback(&request);
            let id_for_log = id.clone();
            let span_of_work = span.clone();
            let mut response = request_id::scope(id.clone(), async move {
                if refused {
                    return error_body::respond(&misdirected(), None);
                }
                match AssertUnwindSafe(inner.call(request).instrument(span_of_work)).catch_unwind().await {
                    Ok(Ok(response)) => response,
                    Ok(Err(never)) => match never {},
                    Err(_) => {
                        tracing::error!(request_id = &*id_for_log, "a handler panicked");
                        if grpc {
                            tonic::Status::internal("Something went wrong on our side.").into_http()
                        } else {
                            panicked()
                        }
                    }
                }
            })
            .await;

            // By what is answered, not by what was asked: a header of the caller's must not take the others away.
            if !speaks_grpc(response.headers()) {
                secure(&mut response);
            }
            if let Ok(value) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID, value);
            }
            let route = Route::of(&response, grpc);
            let (status, duration) = (response.status().as_u16(), began.elapsed());
            trace::conclude(&span, route.pattern, status);
            settings.metrics.request(route.pattern, route.door, status, duration);
            let client = address;
            Access {
                method: method.as_str(),
                route: route.pattern,
                status,
                duration,
                client,
                request_id: &id,
                door: route.door,
            }
            .record();
            Ok(response)
        })
    }
}

fn address<B>(request: &Request<B>, trusted: &TrustedProxies) -> ClientAddress {
    let peer =
        request.extensions().get::<PeerAddr>().map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    trusted.resolve(peer, request.headers())
}

/// DNS rebinding ends here: a page of another site may resolve to loopback, but it asks for its own host.
fn asks_for_loopback<B>(request: &Request<B>) -> bool {
    let host = request.uri().host().or_else(|| request.headers().get(HOST)?.to_str().ok()).unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

fn misdirected() -> Error {
    Error::new(Code::MisdirectedRequest, "This development server only answers to localhost and 127.0.0.1.")
}

fn panicked() -> Response {
    error_body::respond(&Error::internal("a handler panicked"), None)
}

/// Headers of contract section 9; what a handler has set stays.
fn secure(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (X_FRAME_OPTIONS, "DENY"),
        (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// What the log and the metrics call a request. Paths carry ids and handles, patterns do not.
struct Route {
    pattern: &'static str,
    door: Door,
}

impl Route {
    /// The policy that the pipeline left on the response; what has none is not worth telling apart.
    fn of(response: &Response, grpc: bool) -> Self {
        let policy = response.extensions().get::<&'static Policy>();
        let door = match policy {
            _ if grpc => Door::Grpc,
            Some(policy) if policy.is_page() => Door::Page,
            _ => Door::Json,
        };
        let pattern = match policy {
            Some(policy) if grpc => policy.grpc_path,
            Some(policy) => policy.http.as_ref().map_or(policy.method, |http| http.path),
            None => "other",
        };
        Self { pattern, door }
    }
}
