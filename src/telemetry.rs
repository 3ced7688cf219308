//! Logs, the audit trail, metrics and traces, without secrets (contract sections 10 and 13).

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod carry;
pub(crate) mod client_call;
mod error;
pub(crate) mod failure;
pub(crate) mod line;
pub(crate) mod metrics;
pub(crate) mod operator_events;
pub(crate) mod origin;
mod otlp;
pub(crate) mod redact;
pub(crate) mod request_id;
mod sampling;
pub(crate) mod sink;
#[cfg(test)]
mod tests;
pub(crate) mod trace;

use std::{
    io::{self, Write},
    sync::{
        Arc, OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
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
use self::{line::LineLayer, metrics::Metrics, operator_events::OperatorEventLayer, sink::Sink};
use crate::config::telemetry::TelemetryConfig;

/// The destination of log lines.
pub enum Output {
    /// Standard output, as containers expect.
    Stdout,
    /// Standard error, for commands whose result is written to standard output.
    Stderr,
    /// Standard error, for commands that a person runs in a terminal: without the audit events, which the command
    /// stores for the log of a server.
    Terminal,
    /// Another writer, with which tests capture the log.
    Writer(Box<dyn Write + Send>),
}

/// Libraries that are logged at `info` at most unless the directives name them: their debug events help only their
/// authors, and some contain the data of requests.
const INFO_ONLY_TARGETS: &[&str] = &[
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

/// The telemetry of one server. Each server has its own metrics. The log is shared by the process, because `tracing`
/// has one subscriber a process.
pub struct Telemetry {
    pub metrics: Arc<Metrics>,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
    sink: Sink,
}

/// The sink of the log, which the first server of the process installs.
static SINK: OnceLock<Sink> = OnceLock::new();

impl Telemetry {
    /// Starts telemetry. The first call in a process sets the destination and the format of the log and the export of
    /// traces. Later calls, as in tests with several servers, get their own metrics and share the rest. Needs a Tokio
    /// runtime when OTLP is on.
    pub fn install(config: &TelemetryConfig, output: Output) -> Result<Self, TelemetryError> {
        let exports = Arc::default();
        let (metrics, meters) = metrics::start(config.otlp.as_deref(), &exports)?;
        let mut tracers = None;
        let sink = if let Some(sink) = SINK.get() {
            sink.clone()
        } else {
            let is_terminal = matches!(output, Output::Terminal);
            let is_command = is_terminal || matches!(output, Output::Stderr);
            let sink = Sink::new(match output {
                Output::Stdout => Box::new(io::stdout()),
                Output::Stderr | Output::Terminal => Box::new(io::stderr()),
                Output::Writer(writer) => writer,
            })?;
            tracers = config.otlp.as_deref().map(|otlp| otlp::tracers(otlp, &exports)).transpose()?.flatten();
            let otel = config.otlp.as_deref().zip(tracers.as_ref()).map(|(otlp, tracers)| {
                trace::enable(sampling::sampler(otlp.sampling));
                tracing_opentelemetry::layer()
                    .with_tracer(tracers.tracer("dify-openapi"))
                    .with_location(false)
                    .with_threads(false)
                    .with_target(false)
                    // Both cost time whenever a task is polled. Spans have their parents from `tracing`.
                    .with_tracked_inactivity(false)
                    .with_context_activation(false)
                    // Request spans only: events would be exported without the redaction of the log.
                    .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == trace::TARGET))
            });
            let subscriber = tracing_subscriber::registry()
                .with(otel)
                .with(LineLayer::new(config.format, sink.clone()).hiding_audit(is_terminal))
                .with(is_command.then_some(OperatorEventLayer))
                .with(targets(&config.directives, tracers.is_some()));
            // Fails when the process already has a subscriber, which is kept. The cell decides a race of two first
            // calls.
            let _ = subscriber.try_init();
            SINK.get_or_init(|| sink).clone()
        };
        metrics.observe_log(&sink);
        Ok(Self { metrics: Arc::new(metrics), meters, tracers, sink })
    }

    /// Waits until the lines logged so far are written, at most 2 s.
    pub fn flush(&self) {
        self.sink.flush();
    }

    /// Does the same for the log of the process, if it was installed.
    pub(crate) fn flush_process() {
        if let Some(sink) = SINK.get() {
            sink.flush();
        }
    }

    /// Exports the remaining spans and metrics within `timeout`, whatever the collector does, and writes the remaining
    /// lines. Blocks, so it must not run on the threads of the runtime.
    pub fn shutdown(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let (ended, ends) = mpsc::channel();
        let (meters, tracers) = (self.meters.clone(), self.tracers.clone());
        let exports: [Box<dyn FnOnce() + Send>; 2] = [
            Box::new(move || {
                let _ = meters.shutdown();
            }),
            Box::new(move || {
                let _ = tracers.map(|tracers| tracers.shutdown_with_timeout(timeout));
            }),
        ];
        for export in exports {
            let ended = ended.clone();
            // The SDK does not keep the timeout of metrics. A thread that continues ends with the process.
            let started = thread::Builder::new().name("last-export".to_owned()).spawn(move || {
                export();
                let _ = ended.send(());
            });
            if started.is_err() {
                tracing::warn!("the last telemetry is not exported, because no thread can be started");
            }
        }
        drop(ended);
        for _ in 0..2 {
            match ends.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    tracing::warn!("the collector did not accept the last telemetry in time");
                    break;
                }
            }
        }
        self.sink.flush();
    }
}

/// The filter of events and spans. Audit events pass at every level, and so do request spans when traces are exported;
/// otherwise there are none, which saves their cost.
fn targets(directives: &str, exports_traces: bool) -> Targets {
    let chosen: Targets = directives.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let verbose = chosen.default_level().is_some_and(|level| level > Level::INFO);
    let info_only = INFO_ONLY_TARGETS
        .iter()
        .filter(|target| verbose && !directives.contains(**target))
        .map(|target| (*target, Level::INFO));
    // `migrate` prints the same progress itself.
    let migrations = [("sea_orm_migration", Level::WARN)];
    chosen
        .with_targets(migrations)
        // Its events contain the answers of models.
        .with_target("async_openai", LevelFilter::OFF)
        .with_targets(info_only)
        .with_target(audit::TARGET, Level::INFO)
        .with_target(trace::TARGET, if exports_traces { LevelFilter::INFO } else { LevelFilter::OFF })
}
