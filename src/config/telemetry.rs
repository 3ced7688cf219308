//! Logs, traces and metrics.

use super::{
    reader::Reader,
    settings::{self, Setting},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    pub format: LogFormat,
    /// `LOG_LEVEL` as `tracing_subscriber::filter::Targets` parses it.
    pub directives: String,
    /// `None` if `ENABLE_OTEL` is off.
    pub otlp: Option<Otlp>,
}

/// OTLP over gRPC. The SDK reads headers, timeouts, compression and resource from the standard `OTEL_*` variables.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Endpoint of traces.
    pub traces: String,
    /// Endpoint of metrics.
    pub metrics: String,
    /// Share of new traces that is kept; `None` if `OTEL_TRACES_SAMPLER` decides.
    pub sampling: Option<f64>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, directives: "info".to_owned(), otlp: None }
    }
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self { format: read_format(reader), directives: read_level(reader), otlp: read_otlp(reader) }
    }
}

fn read_format(reader: &mut Reader<'_>) -> LogFormat {
    let setting = &settings::LOG_OUTPUT_FORMAT;
    match reader.text(setting).unwrap_or_default().to_ascii_lowercase().as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        other => {
            reader.problem(setting, format_args!("is `{other}`; set it to text or json"));
            LogFormat::Text
        }
    }
}

/// Accepts the levels of Python's `logging`, which Dify uses, those of `tracing`, and a list of `target=level`.
fn read_level(reader: &mut Reader<'_>) -> String {
    let setting = &settings::LOG_LEVEL;
    let text = reader.text(setting).unwrap_or_default();
    let directives = match text.to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        "notset" => "trace".to_owned(),
        other => other.to_owned(),
    };
    // `Targets` parses a word that is not a level as a target at every level.
    let known = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace")
    };
    if directives.split(',').all(known) && directives.parse::<tracing_subscriber::filter::Targets>().is_ok() {
        directives
    } else {
        reader.problem(setting, format_args!("is `{text}`; set it to ERROR, WARN, INFO, DEBUG or TRACE"));
        "info".to_owned()
    }
}

fn read_otlp(reader: &mut Reader<'_>) -> Option<Otlp> {
    if !reader.flag(&settings::ENABLE_OTEL) || reader.flag(&settings::OTEL_SDK_DISABLED) {
        return None;
    }
    let protocol = reader.text(&settings::OTEL_EXPORTER_OTLP_PROTOCOL).unwrap_or_default();
    if protocol != "grpc" {
        reader.problem(&settings::OTEL_EXPORTER_OTLP_PROTOCOL, format_args!("is `{protocol}`, but this server exports over gRPC only; set it to grpc and the endpoint to the collector's gRPC port, often 4317"));
    }
    // The standard names win over Dify's.
    let mut endpoint = |own: &'static Setting| {
        let names = [own, &settings::OTEL_EXPORTER_OTLP_ENDPOINT, &settings::OTLP_BASE_ENDPOINT];
        let name = names.into_iter().find(|name| reader.text(name).is_some());
        name.and_then(|name| reader.http_url(name))
            .map_or_else(|| "http://localhost:4317".to_owned(), |url| url.to_string())
    };
    let traces = endpoint(&settings::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
    let metrics = endpoint(&settings::OTEL_EXPORTER_OTLP_METRICS_ENDPOINT);
    let sampling = match reader.text(&settings::OTEL_TRACES_SAMPLER) {
        Some(_) => None,
        None => Some(reader.share(&settings::OTEL_SAMPLING_RATE)),
    };
    Some(Otlp { traces, metrics, sampling })
}
