//! Logs, traces and metrics.

use super::{otlp::Otlp, reader::Reader, settings};
use crate::trusted_roots::TrustedRoots;

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
    /// `None` if nothing is exported.
    pub otlp: Option<Box<Otlp>>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, directives: "info".to_owned(), otlp: None }
    }
}

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader<'_>, roots: &TrustedRoots) -> Self {
        let otlp = Otlp::read(reader).map(|otlp| Box::new(otlp.trusting(roots)));
        Self { format: read_format(reader), directives: read_level(reader), otlp }
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
