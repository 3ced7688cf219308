//! W3C trace context, in and out (contract section 12).

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::access::Door;

/// The target of request spans.
pub(crate) const TARGET: &str = "request";

/// Whether the process exports traces: as there is one subscriber, it is the process's.
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// From here on requests get spans.
pub(super) fn begin() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// A request's span, or none while nothing is exported.
pub(crate) fn span_if_exported(method: &'static str, door: Door, headers: &HeaderMap, is_trusted: bool) -> Span {
    if EXPORTED.load(Ordering::Relaxed) {
        request_span(method, "other", door, headers, is_trusted)
    } else {
        Span::none()
    }
}

/// What a request turned out to be: its route is known only once it has been found.
pub(crate) fn conclude(span: &Span, route: &'static str, status: u16) {
    span.record("otel.name", route);
    span.record("http.route", route);
    span.record("http.response.status_code", status);
}

/// The span of a request. It continues the trace of a trusted peer. Any other peer's trace is only linked, because its
/// `sampled` flag would decide what this service exports. Make one only while [`super::Telemetry::traces`].
pub(crate) fn request_span(
    method: &'static str,
    route: &'static str,
    door: Door,
    headers: &HeaderMap,
    is_trusted: bool,
) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = route,
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        door = door.as_str(),
        http.response.status_code = tracing::field::Empty,
    );
    let context = TraceContextPropagator::new().extract(&Incoming(headers));
    if is_trusted {
        // Fails only for a span that is off or has begun elsewhere, and then there is nothing to continue.
        let _ = span.set_parent(context);
    } else if context.span().span_context().is_valid() {
        span.add_link(context.span().span_context().clone());
    }
    span
}

/// Hands the trace of `span` to a server that is called on its behalf.
pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&span.context(), &mut Outgoing(headers));
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}
