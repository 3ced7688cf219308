//! Spans of requests, and W3C trace context in received and sent headers (contract section 12).

use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{Status, TraceContextExt as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::access::{Door, Outcome};

/// The target of request spans.
pub(crate) const TARGET: &str = "request";

/// Whether the process exports traces. It is static because a process has one subscriber.
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// Makes later requests get spans.
pub(super) fn enable() {
    EXPORTED.store(true, Ordering::Relaxed);
}

/// The span of a request, or a disabled span when traces are not exported.
pub(crate) fn span_if_exported(method: &'static str, door: Door, headers: &HeaderMap, is_trusted: bool) -> Span {
    if EXPORTED.load(Ordering::Relaxed) {
        request_span(method, "other", door, headers, is_trusted)
    } else {
        Span::none()
    }
}

/// Records the route, which is known only after routing, and how the request ended.
pub(crate) fn record_outcome(span: &Span, route: &'static str, outcome: Outcome) {
    if span.is_none() {
        return;
    }
    span.record("otel.name", route);
    span.record("http.route", route);
    span.set_attribute("http.response.status_code", i64::from(outcome.status));
    if let Some(status) = outcome.grpc_status {
        span.set_attribute("rpc.response.status_code", status);
    }
    if let Some(error) = outcome.error_type() {
        span.set_attribute("error.type", error);
        span.set_status(Status::error(""));
    }
}

/// The span of a request. It continues the trace of a trusted peer. Any other peer's trace is only linked, because its
/// `sampled` flag would decide what this service exports.
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
    );
    let context = TraceContextPropagator::new().extract(&ReceivedHeaders(headers));
    if is_trusted {
        // Fails only for a span that is disabled or has already started, which cannot continue a trace.
        let _ = span.set_parent(context);
    } else if context.span().span_context().is_valid() {
        span.add_link(context.span().span_context().clone());
    }
    span
}

/// Writes the trace context of `span` into the headers of a request to another server.
pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&span.context(), &mut SentHeaders(headers));
}

struct ReceivedHeaders<'a>(&'a HeaderMap);

impl Extractor for ReceivedHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct SentHeaders<'a>(&'a mut HeaderMap);

impl Injector for SentHeaders<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}
