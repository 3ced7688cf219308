//! Spans of requests and of calls to other systems, and W3C trace context in received and sent headers (contract
//! section
//! 12).

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::Sampler};
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{
    access::{Door, Outcome},
    sampling,
};

tokio::task_local! {
    static PLACE: Option<SpanContext>;
}

/// The target of request spans and of client spans.
pub(crate) const TARGET: &str = "request";

/// Which requests are exported; unset if none is. It is static because a process has one subscriber.
static SAMPLER: OnceLock<Sampler> = OnceLock::new();

/// Makes later requests get spans.
pub(super) fn enable(sampler: Sampler) {
    // The first one stays, like the first subscriber.
    let _ = SAMPLER.set(sampler);
}

/// Runs work of a request at its place in a trace.
pub(crate) fn scope<F: Future>(place: Option<SpanContext>, work: F) -> impl Future<Output = F::Output> {
    PLACE.scope(place, work)
}

/// Runs a part of a request, which does not wait, at its place in a trace.
pub(super) fn enter<T>(place: Option<SpanContext>, work: impl FnOnce() -> T) -> T {
    PLACE.sync_scope(place, work)
}

/// The place of the current request in a trace; `None` outside one.
pub(crate) fn current_place() -> Option<SpanContext> {
    PLACE.try_with(Clone::clone).ok().flatten()
}

/// What is known of a request when its span begins.
#[derive(Clone, Copy)]
pub(crate) struct TracedRequest<'a> {
    pub method: &'static str,
    pub door: Door,
    pub headers: &'a HeaderMap,
    /// Whether the peer is trusted, whose trace is continued then.
    pub is_trusted: bool,
    pub id: &'a str,
}

/// The span of a request, which is disabled when it is not exported, and its place in a trace.
pub(crate) fn begin(request: TracedRequest<'_>) -> (Span, SpanContext) {
    match SAMPLER.get() {
        Some(sampler) => sampled(sampler, request),
        None => (Span::none(), forwarded(request)),
    }
}

/// The span and the place of a request that the sampler chooses, and only the place of another one: without a span, its
/// calls to other systems have none either.
pub(super) fn sampled(sampler: &Sampler, request: TracedRequest<'_>) -> (Span, SpanContext) {
    let parent = if request.is_trusted { extract(request.headers) } else { Context::new() };
    let place = sampling::decide(sampler, &parent, request.method);
    if !place.is_sampled() {
        return (Span::none(), place);
    }
    sampling::in_trace(place.trace_id(), || {
        let span = request_span(request);
        let place = span.context().span().span_context().clone();
        // Invalid where the subscriber of the process is not the one of this program.
        let place = if place.is_valid() { place } else { forwarded(request) };
        (span, place)
    })
}

/// The trace context in received headers.
fn extract(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract(&ReceivedHeaders(headers))
}

/// The place of a request without a span: that of a trusted peer, or the begin of a trace that is named like the
/// request. Such a trace is marked as sampled, because other systems that follow the mark would record nothing of it
/// otherwise.
fn forwarded(request: TracedRequest<'_>) -> SpanContext {
    let received = request.is_trusted.then(|| extract(request.headers));
    if let Some(place) = received.map(|context| context.span().span_context().clone()).filter(SpanContext::is_valid) {
        return place;
    }
    // Both halves of an id are unique in the process and among processes; the second one is never 0.
    let trace = TraceId::from_hex(request.id).unwrap_or(TraceId::INVALID);
    let span = request.id.get(16..).and_then(|half| SpanId::from_hex(half).ok()).unwrap_or(SpanId::INVALID);
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

/// Names the span by the route, which is known only after routing, and records how the request ended.
pub(crate) fn record_outcome(span: &Span, method: &'static str, route: &'static str, outcome: Outcome) {
    if span.is_none() {
        return;
    }
    let context = span.context();
    let exported = context.span();
    if let Some(status) = outcome.grpc_status {
        // The conventions name methods without the slash of the path.
        let method = route.trim_start_matches('/');
        exported.update_name(method);
        span.set_attribute("rpc.system.name", "grpc");
        span.record("rpc.method", method);
        span.set_attribute("rpc.response.status_code", status);
    } else {
        exported.update_name(format!("{method} {route}"));
        span.set_attribute("http.request.method", method);
        span.record("http.route", route);
        span.set_attribute("http.response.status_code", i64::from(outcome.status));
    }
    if let Some(error) = outcome.error_type() {
        span.set_attribute("error.type", error);
        span.set_status(Status::error(""));
    }
}

/// The span of a request. It continues the trace of a trusted peer. Any other peer's trace is only linked, because its
/// `sampled` flag would decide what this service exports.
pub(super) fn request_span(request: TracedRequest<'_>) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = request.method,
        otel.kind = "server",
        door = request.door.as_str(),
        http.route = Empty,
        rpc.method = Empty,
    );
    let context = extract(request.headers);
    if request.is_trusted {
        // Fails only for a span that is disabled or has already started, which cannot continue a trace.
        let _ = span.set_parent(context);
    } else if context.span().span_context().is_valid() {
        span.add_link(context.span().span_context().clone());
    }
    span
}

/// Writes the trace context of `span`, or of the current request without an exported span, into the headers of a
/// request to another server.
pub(super) fn inject(span: &Span, headers: &mut HeaderMap) {
    let mut context = span.context();
    if !context.span().span_context().is_valid() {
        let Some(place) = current_place() else { return };
        context = context.with_remote_span_context(place);
    }
    TraceContextPropagator::new().inject_context(&context, &mut SentHeaders(headers));
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
