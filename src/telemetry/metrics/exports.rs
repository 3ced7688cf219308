//! Metrics of the export over OTLP, which only Prometheus sees when the collector is down.

use std::sync::{Arc, atomic::Ordering};

use opentelemetry::{KeyValue, metrics::Meter};

use crate::telemetry::otlp::outcomes::ExportCounts;

/// Reports exports by signal and outcome, and dropped spans by reason.
pub(super) fn observe(meter: &Meter, counts: &Arc<ExportCounts>) {
    let observed = Arc::clone(counts);
    let _ = meter
        .u64_observable_counter("openapi.otlp.exports")
        .with_description("Exports of telemetry over OTLP.")
        .with_callback(move |counter| {
            for (signal, counts) in [("traces", &observed.traces), ("metrics", &observed.metrics)] {
                for (outcome, count) in [("success", &counts.succeeded), ("failure", &counts.failed)] {
                    let labels = [KeyValue::new("signal", signal), KeyValue::new("outcome", outcome)];
                    counter.observe(count.load(Ordering::Relaxed), &labels);
                }
            }
        })
        .build();
    let observed = Arc::clone(counts);
    let _ = meter
        .u64_observable_counter("openapi.otlp.spans.dropped")
        .with_description("Spans that did not reach the collector.")
        .with_callback(move |counter| {
            for (reason, count) in
                [("queue_full", &observed.spans_without_space), ("export_failed", &observed.spans_of_failed_exports)]
            {
                counter.observe(count.load(Ordering::Relaxed), &[KeyValue::new("reason", reason)]);
            }
        })
        .build();
}
