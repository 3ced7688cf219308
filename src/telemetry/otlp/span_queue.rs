//! Counts the spans that wait for their export, and those for which there is no space.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Span, SpanData, SpanProcessor},
};

use super::outcomes::ExportCounts;

/// A batch processor whose dropped spans are counted. Its own queue is as long, so that it drops none itself.
#[derive(Debug)]
pub(super) struct SpanQueue {
    batches: BatchSpanProcessor,
    counts: Arc<ExportCounts>,
    queued: Arc<AtomicUsize>,
    max_queued: usize,
}

impl SpanQueue {
    /// `queued` is lowered by the exporter.
    pub(super) const fn new(
        batches: BatchSpanProcessor,
        counts: Arc<ExportCounts>,
        queued: Arc<AtomicUsize>,
        max_queued: usize,
    ) -> Self {
        Self { batches, counts, queued, max_queued }
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // The batch processor ignores such spans.
        if !span.span_context.is_sampled() {
            return;
        }
        let has_space = |queued: usize| (queued < self.max_queued).then_some(queued + 1);
        if self.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_space).is_ok() {
            self.batches.on_end(span);
        } else {
            self.counts.spans_without_space.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}
