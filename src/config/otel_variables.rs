//! The variables of the OpenTelemetry specification that are not settings: those that the SDK reads, those that this
//! server does not follow, and Dify's own ones. Every other `OTEL_` variable is unknown.

use super::{reader::Reader, sampling::RATIO};

/// What the value of a variable of the SDK has to be. The SDK replaces a wrong value by its default.
#[derive(Clone, Copy)]
enum ValueKind {
    Text,
    /// A whole number, at least 1.
    Number,
    OneOf(&'static [&'static str]),
}

const COMPRESSIONS: ValueKind = ValueKind::OneOf(&["gzip", "none"]);

/// Variables that the SDK reads, and the argument of the sampler.
const SDK_VARIABLES: [(&str, ValueKind); 16] = [
    ("OTEL_SERVICE_NAME", ValueKind::Text),
    ("OTEL_RESOURCE_ATTRIBUTES", ValueKind::Text),
    ("OTEL_EXPORTER_OTLP_HEADERS", ValueKind::Text),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", ValueKind::Text),
    ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", ValueKind::Text),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", COMPRESSIONS),
    ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", COMPRESSIONS),
    ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", COMPRESSIONS),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", ValueKind::OneOf(&["cumulative", "delta", "lowmemory"])),
    (RATIO, ValueKind::Text),
    ("OTEL_BSP_SCHEDULE_DELAY", ValueKind::Number),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", ValueKind::Number),
    ("OTEL_METRIC_EXPORT_INTERVAL", ValueKind::Number),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", ValueKind::Number),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", ValueKind::Number),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", ValueKind::Number),
];

/// Variables that this server does not follow, and what to do instead.
const REFUSED: [(&str, &str); 20] = [
    ("OTEL_EXPORTER_OTLP_INSECURE", "begin the endpoint with http:// or https:// instead"),
    ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "begin the endpoint with http:// or https:// instead"),
    ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "begin the endpoint with http:// or https:// instead"),
    ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "collect the log from standard output instead"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "logs are not exported"),
    ("OTEL_BLRP_EXPORT_TIMEOUT", "logs are not exported"),
    ("OTEL_BLRP_MAX_QUEUE_SIZE", "logs are not exported"),
    ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "logs are not exported"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "set OTEL_EXPORTER_OTLP_TRACES_TIMEOUT instead"),
    ("OTEL_BSP_MAX_CONCURRENT_EXPORTS", "batches are exported one after the other"),
    ("OTEL_ATTRIBUTE_COUNT_LIMIT", "set OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT instead"),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "attributes are bounded by this server"),
    ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "attributes are bounded by this server"),
    ("OTEL_CONFIG_FILE", "set variables instead"),
    ("OTEL_EXPERIMENTAL_CONFIG_FILE", "set variables instead"),
    ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "set OTEL_EXPORTER_OTLP_ENDPOINT instead"),
    ("OTEL_EXPORTER_PROMETHEUS_PORT", "Prometheus reads /metrics on ADMIN_LISTEN"),
    // Dify's own ones, which say where telemetry goes.
    ("OTLP_TRACE_ENDPOINT", "set OTEL_EXPORTER_OTLP_TRACES_ENDPOINT instead"),
    ("OTLP_METRIC_ENDPOINT", "set OTEL_EXPORTER_OTLP_METRICS_ENDPOINT instead"),
    ("OTLP_API_KEY", "set OTEL_EXPORTER_OTLP_HEADERS instead"),
];

/// Dify's own variables with defaults in its `.env`. A warning, because a shared file has them.
const OF_DIFY: [(&str, &str); 6] = [
    ("OTEL_EXPORTER_TYPE", "OTEL_TRACES_EXPORTER"),
    ("OTEL_BATCH_EXPORT_SCHEDULE_DELAY", "OTEL_BSP_SCHEDULE_DELAY"),
    ("OTEL_BATCH_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"),
    ("OTEL_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"),
    ("OTEL_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"),
];

/// Beginnings of variables for SDKs of other languages and for the operator of Kubernetes, which gives them to every
/// container.
const OF_OTHERS: [&str; 12] = [
    "OTEL_DOTNET_",
    "OTEL_GO_",
    "OTEL_INJECTOR_",
    "OTEL_INSTRUMENTATION_",
    "OTEL_JAVA",
    "OTEL_NODE",
    "OTEL_PHP_",
    "OTEL_POD_",
    "OTEL_PYTHON_",
    "OTEL_RESOURCE_ATTRIBUTES_",
    "OTEL_RUBY_",
    "OTEL_SERVICE_NAMESPACE",
];

/// The names that the SDK reads.
pub(super) fn sdk_names() -> impl Iterator<Item = &'static str> {
    SDK_VARIABLES.iter().map(|(name, _)| *name)
}

/// All names of this file.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    sdk_names().chain(REFUSED.iter().chain(&OF_DIFY).map(|(name, _)| *name))
}

pub(super) fn belongs_to_others(name: &str) -> bool {
    OF_OTHERS.iter().any(|prefix| name.starts_with(prefix))
}

/// Reports variables without an effect, and values that the SDK would replace.
pub(super) fn check(reader: &mut Reader<'_>) {
    for (name, instead) in REFUSED {
        if reader.variable(name).is_some() {
            reader.problem(name, format_args!("is not supported; {instead}"));
        }
    }
    for (name, instead) in OF_DIFY {
        if reader.variable(name).is_some() {
            reader.warning(name, format_args!("is Dify's and has no effect here; set {instead}, or remove it"));
        }
    }
    for (name, kind) in SDK_VARIABLES {
        let Some(value) = reader.variable(name) else { continue };
        match kind {
            ValueKind::Number if !value.parse::<u32>().is_ok_and(|number| number > 0) => {
                reader.problem(name, format_args!("is `{value}`; set it to a whole number from 1"));
            }
            ValueKind::OneOf(values) if !values.contains(&value.to_ascii_lowercase().as_str()) => {
                reader.problem(name, format_args!("is `{value}`; set it to {}", values.join(" or ")));
            }
            _ => {}
        }
    }
}
