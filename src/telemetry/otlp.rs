//! OTLP exporters. The SDK itself reads the standard `OTEL_*` variables, except those of endpoints and sampling.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};

use super::error::TelemetryError;
use crate::{
    config::telemetry::Otlp,
    ports::entropy::{Entropy, SystemEntropy},
};

/// A random id of this process, as the conventions recommend.
static INSTANCE: LazyLock<String> =
    LazyLock::new(|| (&SystemEntropy as &dyn Entropy).uuid_v4().map(|id| id.to_string()).unwrap_or_default());

/// The resource of the exported telemetry. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over the default name
/// and version.
pub(super) fn resource() -> Resource {
    let detected = Resource::builder().build();
    let is_set = |key: &'static str| {
        detected.get(&key.into()).is_some_and(|value| !value.as_str().starts_with("unknown_service"))
    };
    let mut resource = Resource::builder();
    let instance = INSTANCE.as_str();
    let own = [
        ("service.name", "dify-openapi"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", instance),
    ];
    for (key, value) in own {
        if !is_set(key) {
            resource = resource.with_attribute(KeyValue::new(key, value));
        }
    }
    resource.build()
}

pub(super) fn tracers(otlp: &Otlp) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(&otlp.traces).build().map_err(exporter_error)?;
    let builder = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter);
    Ok(match otlp.sampling {
        Some(ratio) => builder.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))).build(),
        None => builder.build(),
    })
}

pub(super) fn metrics(otlp: &Otlp) -> Result<MetricExporter, TelemetryError> {
    MetricExporter::builder().with_tonic().with_endpoint(&otlp.metrics).build().map_err(exporter_error)
}

fn exporter_error(cause: impl std::fmt::Display) -> TelemetryError {
    TelemetryError::Exporter(cause.to_string())
}
