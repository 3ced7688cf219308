//! Logs, the audit trail, metrics and traces (contract sections 10 and 13). None of them ever carries a secret.

pub(crate) mod access;
pub(crate) mod audit;
mod error;
pub(crate) mod failure;
pub(crate) mod line;
pub(crate) mod metrics;
mod otlp;
pub(crate) mod redact;
pub(crate) mod request_id;
pub(crate) mod sink;
#[cfg(test)]
mod tests;
pub(crate) mod trace;

use std::{
    io::{self, Write},
    sync::{Arc, OnceLock},
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{metrics::SdkMeterProvider, trace::SdkTracerProvider};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _,
    filter::{Targets, filter_fn},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

pub(crate) use self::error::TelemetryError;
use self::{line::LineLayer, metrics::Metrics, sink::Sink};
use crate::config::telemetry::TelemetryConfig;

/// Where log lines go.
pub enum Output {
    /// Standard output, as containers expect.
    Stdout,
    /// Standard error, where standard output has a meaning of its own.
    Stderr,
    /// Anywhere else: tests capture what is written.
    Writer(Box<dyn Write + Send>),
}

/// Libraries that say at `debug` what helps only their authors, and sometimes quote what they carry.
const QUIET: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "tower",
    "rustls",
    "sqlx",
    "sea_orm",
    "sea_orm_migration",
    "tonic",
    "opentelemetry",
    "log",
];

/// The telemetry of one server. Metrics are its own; the log is the process's, as `tracing` has one.
pub struct Telemetry {
    /// Its instruments.
    pub metrics: Arc<Metrics>,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    sink: Sink,
}

/// The log's sink, once the first server of the process has installed it.
static SINK: OnceLock<Sink> = OnceLock::new();

impl Telemetry {
    /// Starts telemetry. The first call in a process decides where its log goes, how it looks and where traces go; later
    /// ones, as in tests with several servers, get metrics of their own and share the rest. Needs a Tokio runtime when
    /// OTLP is on.
    pub fn install(config: &TelemetryConfig, output: Output) -> Result<Self, TelemetryError> {
        let (metrics, meters) = metrics::start(config.otlp.as_ref())?;
        let mut tracers = None;
        let sink = if let Some(sink) = SINK.get() {
            sink.clone()
        } else {
            let sink = Sink::new(match output {
                Output::Stdout => Box::new(io::stdout()),
                Output::Stderr => Box::new(io::stderr()),
                Output::Writer(writer) => writer,
            })?;
            tracers = config.otlp.as_ref().map(otlp::tracers).transpose()?;
            // Not installed at all when off: even at a ratio of 0 it would cost 2 µs a request.
            let otel = tracers.as_ref().map(|tracers| {
                trace::begin();
                tracing_opentelemetry::layer()
                    .with_tracer(tracers.tracer("dify-openapi"))
                    .with_location(false)
                    .with_threads(false)
                    // Requests only: events would leave in their own words, past the log's redaction.
                    .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == trace::TARGET))
            });
            let subscriber = tracing_subscriber::registry()
                .with(otel)
                .with(LineLayer::new(config.format, sink.clone()))
                .with(targets(&config.directives));
            // Someone else's subscriber stays; a race with another first call is settled by the cell.
            let _ = subscriber.try_init();
            SINK.get_or_init(|| sink).clone()
        };
        Ok(Self { metrics: Arc::new(metrics), meters, tracers, sink })
    }

    /// Waits until every line so far is written.
    pub fn flush(&self) {
        self.sink.flush();
    }

    /// Exports and writes what is left. Blocks, for seconds when the collector is away: call it off the runtime's threads.
    pub fn shutdown(&self) {
        if let Some(tracers) = &self.tracers {
            let _ = tracers.shutdown();
        }
        let _ = self.meters.shutdown();
        self.sink.flush();
    }
}

/// Which events are written. The audit trail is, whatever the level.
fn targets(directives: &str) -> Targets {
    let chosen: Targets = directives.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let verbose = chosen.default_level().is_some_and(|level| level > Level::INFO);
    let quiet =
        QUIET.iter().filter(|target| verbose && !directives.contains(**target)).map(|target| (*target, Level::INFO));
    // Says at `info` what `migrate` says itself.
    let migrations = [("sea_orm_migration", Level::WARN)];
    chosen
        .with_targets(migrations)
        // Quotes what models answer, in full.
        .with_target("async_openai", LevelFilter::OFF)
        .with_targets(quiet)
        .with_target(audit::TARGET, Level::INFO)
        .with_target(trace::TARGET, Level::INFO)
}
