//! The outcomes of exports: counted, and logged when exports begin to fail and when they succeed again.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry_otlp::{MetricExporter, SpanExporter};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::SpanData,
};
use tracing::{info, warn};

/// The exports of one signal.
#[derive(Debug, Default)]
pub(crate) struct SignalCounts {
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
    /// Whether the last export failed.
    is_failing: AtomicBool,
}

/// The exports of the process, and the spans that never reach the collector.
#[derive(Debug, Default)]
pub(crate) struct ExportCounts {
    pub traces: SignalCounts,
    pub metrics: SignalCounts,
    /// Spans that found the queue full.
    pub spans_without_space: AtomicU64,
    /// Spans of failed exports.
    pub spans_of_failed_exports: AtomicU64,
}

impl SignalCounts {
    /// Counts an export, and logs the first of a series.
    fn record(&self, signal: &'static str, result: &OTelSdkResult) {
        match result {
            Ok(()) => {
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    info!(signal, "the collector accepts telemetry again");
                }
            }
            // The process ends.
            Err(OTelSdkError::AlreadyShutdown) => {}
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    warn!(signal, %error, "telemetry cannot be exported; it is dropped until the collector accepts it");
                }
            }
        }
    }
}

/// Exports spans and records the outcome.
pub(super) struct ObservedSpanExporter {
    inner: SpanExporter,
    counts: Arc<ExportCounts>,
    /// Spans that wait for their export.
    queued: Arc<AtomicUsize>,
}

impl ObservedSpanExporter {
    pub(super) const fn new(inner: SpanExporter, counts: Arc<ExportCounts>, queued: Arc<AtomicUsize>) -> Self {
        Self { inner, counts, queued }
    }
}

impl fmt::Debug for ObservedSpanExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedSpanExporter").finish_non_exhaustive()
    }
}

impl opentelemetry_sdk::trace::SpanExporter for ObservedSpanExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.queued.fetch_sub(count, Ordering::Relaxed);
        let result = self.inner.export(batch).await;
        self.counts.traces.record("traces", &result);
        if result.is_err() {
            self.counts.spans_of_failed_exports.fetch_add(count as u64, Ordering::Relaxed);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Exports metrics and records the outcome.
pub(crate) struct ObservedMetricExporter {
    inner: MetricExporter,
    counts: Arc<ExportCounts>,
}

impl ObservedMetricExporter {
    pub(super) const fn new(inner: MetricExporter, counts: Arc<ExportCounts>) -> Self {
        Self { inner, counts }
    }
}

impl PushMetricExporter for ObservedMetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.inner.export(metrics).await;
        self.counts.metrics.record("metrics", &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}
