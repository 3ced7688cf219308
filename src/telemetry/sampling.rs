//! Decides whether a request is exported before it gets spans, so that other requests cost nothing.

use std::cell::Cell;

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample as _};

use crate::config::sampling::Sampling;

thread_local! {
    /// The id of a trace that was sampled and begins now.
    static SAMPLED: Cell<Option<TraceId>> = const { Cell::new(None) };
}

pub(super) fn sampler(sampling: Sampling) -> Sampler {
    let of_new_traces = Sampler::TraceIdRatioBased(sampling.ratio);
    if sampling.follows_parent { Sampler::ParentBased(Box::new(of_new_traces)) } else { of_new_traces }
}

/// The place of a request in a trace: a new trace, or that of its parent. Marked as sampled if the request is exported.
/// The span of an exported request has an id of its own.
pub(super) fn decide(sampler: &Sampler, parent: &Context, name: &str) -> SpanContext {
    let span = parent.span();
    let parent_place = span.span_context();
    let ids = RandomIdGenerator::default();
    let (trace, state) = if parent_place.is_valid() {
        (parent_place.trace_id(), parent_place.trace_state().clone())
    } else {
        (ids.new_trace_id(), TraceState::default())
    };
    let result = sampler.should_sample(Some(parent), trace, name, &SpanKind::Server, &[], &[]);
    let is_sampled = result.decision == SamplingDecision::RecordAndSample;
    SpanContext::new(trace, ids.new_span_id(), TraceFlags::default().with_sampled(is_sampled), false, state)
}

/// Begins spans in a trace that was sampled by its id.
pub(super) fn in_trace<T>(trace: TraceId, begin: impl FnOnce() -> T) -> T {
    SAMPLED.set(Some(trace));
    let result = begin();
    SAMPLED.set(None);
    result
}

/// Random ids, except for traces that were sampled by their ids.
#[derive(Debug, Default)]
pub(super) struct SampledIds(RandomIdGenerator);

impl IdGenerator for SampledIds {
    fn new_trace_id(&self) -> TraceId {
        SAMPLED.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
