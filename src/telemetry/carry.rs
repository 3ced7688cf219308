//! The scope of a request, for its work on other tasks and in its body.

use std::sync::Arc;

use opentelemetry::trace::SpanContext;
use tracing::{Instrument as _, Span};

use super::{
    origin::{self, Origin},
    request_id, trace,
};

/// The id of a request, its origin, its span and its place in a trace.
#[derive(Clone)]
pub(crate) struct RequestScope {
    pub(crate) request_id: Arc<str>,
    pub(crate) origin: Option<Arc<Origin>>,
    /// Where the request is in a trace.
    pub(crate) place: Option<SpanContext>,
    /// Disabled when traces are not exported.
    pub(crate) span: Span,
}

impl RequestScope {
    /// The place of a request whose span is exported. Without export the place is only passed on.
    pub(crate) fn exported_place(&self) -> Option<&SpanContext> {
        self.place.as_ref().filter(|place| !self.span.is_none() && place.is_sampled())
    }

    /// Runs `work` as a part of the request.
    pub(crate) fn run<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        let work = origin::scope(self.origin, trace::scope(self.place, work));
        request_id::scope(self.request_id, work).instrument(self.span)
    }

    /// Runs `work`, which does not wait, as a part of the request.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let at_place = || trace::enter(self.place.clone(), || origin::enter(self.origin.clone(), work));
        self.span.in_scope(|| request_id::enter(Arc::clone(&self.request_id), at_place))
    }
}

/// Keeps the scope of the current request, for a task that continues its work.
pub(crate) fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let scope = RequestScope {
        request_id: request_id::current(),
        origin: origin::current(),
        place: trace::current_place(),
        span: Span::current(),
    };
    scope.run(work)
}
