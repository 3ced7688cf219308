//! One reader for Prometheus and OTLP. With a reader for each, the SDK would aggregate every event twice.

use std::{sync::Weak, time::Duration};

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    metrics::{InstrumentKind, PeriodicReader, Pipeline, Temporality, data::ResourceMetrics, reader::MetricReader},
};

use crate::telemetry::otlp::outcomes::ObservedMetricExporter;

/// Both readers collect from the same pipeline, which works because both are cumulative: a collection resets nothing.
#[derive(Debug)]
pub(super) struct SharedReader {
    prometheus: PrometheusExporter,
    otlp: PeriodicReader<ObservedMetricExporter>,
}

impl SharedReader {
    /// The exporter must be cumulative.
    pub(super) fn new(prometheus: PrometheusExporter, exporter: ObservedMetricExporter) -> Self {
        Self { prometheus, otlp: PeriodicReader::builder(exporter).build() }
    }
}

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.prometheus.register_pipeline(Weak::clone(&pipeline));
        self.otlp.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.prometheus.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let exported = self.otlp.shutdown_with_timeout(timeout);
        self.prometheus.shutdown_with_timeout(timeout).and(exported)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.prometheus.temporality(kind)
    }
}
