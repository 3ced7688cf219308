//! OTLP exporters. What the standard `OTEL_*` variables say beyond endpoints, the SDK reads by itself.

use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};

use super::error::TelemetryError;
use crate::config::telemetry::Otlp;

/// Who exports: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over our name.
pub(super) fn resource() -> Resource {
    let detected = Resource::builder().build();
    let named = detected.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if named { detected } else { Resource::builder().with_service_name("dify-openapi").build() }
}

/// The provider of tracers.
pub(super) fn tracers(otlp: &Otlp) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(&otlp.traces).build().map_err(fault)?;
    let builder = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter);
    Ok(match otlp.sampling {
        Some(share) => builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share)))).build(),
        None => builder.build(),
    })
}

/// The exporter of metrics.
pub(super) fn metrics(otlp: &Otlp) -> Result<MetricExporter, TelemetryError> {
    MetricExporter::builder().with_tonic().with_endpoint(&otlp.metrics).build().map_err(fault)
}

fn fault(cause: impl std::fmt::Display) -> TelemetryError {
    TelemetryError::Exporter(cause.to_string())
}
