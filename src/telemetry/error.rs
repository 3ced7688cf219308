//! Errors that keep telemetry from starting.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// An exporter rejects its settings.
    #[error(
        "telemetry cannot be exported ({0}); correct OTLP_BASE_ENDPOINT or the OTEL_* variables, or set ENABLE_OTEL=false"
    )]
    Exporter(String),
    /// The thread of the log cannot be started.
    #[error("the log cannot be started ({0}); free some memory or allow more processes")]
    Log(#[from] io::Error),
}
