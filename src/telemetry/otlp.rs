//! OTLP exporters. The SDK itself reads the variables of headers, compression, batches and resource.
//!
//! An export runs on a thread of the SDK, so that no request waits for it.

mod http_transport;
pub(crate) mod outcomes;
mod span_queue;

use std::sync::{Arc, LazyLock, atomic::AtomicUsize};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    MetricExporter, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use self::{
    http_transport::HttpTransport,
    outcomes::{ExportCounts, ObservedMetricExporter, ObservedSpanExporter},
    span_queue::SpanQueue,
};
use super::{
    error::TelemetryError,
    sampling::{SampledIds, sampler},
};
use crate::{
    config::otlp::{Otlp, OtlpProtocol, OtlpSignal},
    ports::{
        entropy::{Entropy, SystemEntropy},
        outgoing_certificates::OutgoingCertificates,
    },
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

/// Exports spans; `None` if traces are not exported.
pub(super) fn tracers(otlp: &Otlp, counts: &Arc<ExportCounts>) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    let Some(signal) = &otlp.traces else { return Ok(None) };
    let exporter = match signal.protocol {
        OtlpProtocol::Grpc => {
            let builder = SpanExporter::builder().with_tonic().with_endpoint(signal.endpoint.as_str());
            builder.with_timeout(signal.timeout).with_tls_config(tonic_tls(&signal.certificates)).build()
        }
        OtlpProtocol::Http => {
            let builder = SpanExporter::builder().with_http().with_endpoint(signal.endpoint.as_str());
            builder.with_timeout(signal.timeout).with_http_client(http_transport(signal)?).build()
        }
    };
    let queued = Arc::<AtomicUsize>::default();
    let exporter =
        ObservedSpanExporter::new(exporter.map_err(exporter_error)?, Arc::clone(counts), Arc::clone(&queued));
    let config = BatchConfigBuilder::default().with_max_queue_size(otlp.max_queued_spans).build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    let queue = SpanQueue::new(batches, Arc::clone(counts), queued, otlp.max_queued_spans);
    let builder = SdkTracerProvider::builder().with_resource(resource()).with_span_processor(queue);
    Ok(Some(builder.with_sampler(sampler(otlp.sampling)).with_id_generator(SampledIds::default()).build()))
}

/// Exports metrics; `None` if they are not exported.
pub(super) fn metrics(
    otlp: &Otlp,
    counts: &Arc<ExportCounts>,
) -> Result<Option<ObservedMetricExporter>, TelemetryError> {
    let Some(signal) = &otlp.metrics else { return Ok(None) };
    let exporter = match signal.protocol {
        OtlpProtocol::Grpc => {
            let builder = MetricExporter::builder().with_tonic().with_endpoint(signal.endpoint.as_str());
            builder.with_timeout(signal.timeout).with_tls_config(tonic_tls(&signal.certificates)).build()
        }
        OtlpProtocol::Http => {
            let builder = MetricExporter::builder().with_http().with_endpoint(signal.endpoint.as_str());
            builder.with_timeout(signal.timeout).with_http_client(http_transport(signal)?).build()
        }
    };
    Ok(Some(ObservedMetricExporter::new(exporter.map_err(exporter_error)?, Arc::clone(counts))))
}

fn http_transport(signal: &OtlpSignal) -> Result<HttpTransport, TelemetryError> {
    HttpTransport::new(&signal.certificates, signal.timeout).map_err(exporter_error)
}

fn tonic_tls(certificates: &OutgoingCertificates) -> ClientTlsConfig {
    let mut tls = ClientTlsConfig::new();
    tls = match certificates.authorities.clone() {
        Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
        None => tls.trust_anchors(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    };
    if let Some(client) = &certificates.client {
        tls = tls.identity(Identity::from_pem(&client.chain, client.key.expose()));
    }
    tls
}

fn exporter_error(cause: impl std::fmt::Display) -> TelemetryError {
    TelemetryError::Exporter(cause.to_string())
}
