//! Logs, traces and metrics.

use super::reader::Reader;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The telemetry section.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// `LOG_OUTPUT_FORMAT`.
    pub format: LogFormat,
    /// `LOG_LEVEL` as a list of `target=level` and a level, in `tracing`'s words.
    pub directives: String,
    /// Where OTLP goes, when `ENABLE_OTEL`.
    pub otlp: Option<Otlp>,
}

/// OTLP over gRPC. Headers, timeouts, compression, resource and sampler follow the standard `OTEL_*` by themselves.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// Endpoint of traces.
    pub traces: String,
    /// Endpoint of metrics.
    pub metrics: String,
    /// Share of new traces that are kept (`OTEL_SAMPLING_RATE`); `None` when `OTEL_TRACES_SAMPLER` decides.
    pub sampling: Option<f64>,
}

impl Default for TelemetryConfig {
    /// Text at `info`, nothing exported.
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
    const NAME: &str = "LOG_OUTPUT_FORMAT";
    match reader.text(NAME).map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            reader.problem(NAME, format_args!("is `{other}`; set it to text or json"));
            LogFormat::Text
        }
    }
}

/// A level in Dify's words (Python's) or `tracing`'s, or a list of `target=level`.
fn read_level(reader: &mut Reader<'_>) -> String {
    const NAME: &str = "LOG_LEVEL";
    let Some(text) = reader.text(NAME) else { return "info".to_owned() };
    let directives = match text.to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        "critical" | "fatal" => "error".to_owned(),
        "notset" => "trace".to_owned(),
        other => other.to_owned(),
    };
    // A bare word that is not a level would be read as a target, at every level.
    let known = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim();
        matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace")
    };
    if directives.split(',').all(known) && directives.parse::<tracing_subscriber::filter::Targets>().is_ok() {
        directives
    } else {
        reader.problem(NAME, format_args!("is `{text}`; set it to ERROR, WARN, INFO, DEBUG or TRACE"));
        "info".to_owned()
    }
}

const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";

fn read_otlp(reader: &mut Reader<'_>) -> Option<Otlp> {
    if !reader.flag("ENABLE_OTEL", false) || reader.flag("OTEL_SDK_DISABLED", false) {
        return None;
    }
    if let Some(protocol) = reader.text(PROTOCOL).filter(|protocol| protocol != "grpc") {
        reader.problem(PROTOCOL, format_args!("is `{protocol}`, but this server exports over gRPC only; set it to grpc and the endpoint to the collector's gRPC port, often 4317"));
    }
    // The standard names win over Dify's.
    let mut endpoint = |own: &str| {
        let names = [own, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTLP_BASE_ENDPOINT"];
        let name = names.into_iter().find(|name| reader.text(name).is_some());
        name.and_then(|name| reader.http_url(name))
            .map_or_else(|| "http://localhost:4317".to_owned(), |url| url.to_string())
    };
    let traces = endpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let metrics = endpoint("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
    let sampling = match reader.text("OTEL_TRACES_SAMPLER") {
        Some(_) => None,
        None => Some(reader.share("OTEL_SAMPLING_RATE", 0.1)),
    };
    Some(Otlp { traces, metrics, sampling })
}
