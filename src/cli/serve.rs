//! `serve`: the production command.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    error::CommandError,
    signals::{ReloadSignal, Signals},
};
use crate::{
    app::{self, Dependencies, RunningServer},
    config::{Config, DataDirLock, Env, misspelled, process_env, reader::Reader, settings},
    telemetry::{Output, Telemetry},
};

/// The checked configuration of `serve`.
#[derive(Debug)]
pub(crate) struct ServeSetup {
    pub config: Config,
    /// `None` if the configuration uses no data directory.
    pub lock: Option<DataDirLock>,
}

/// Reads the configuration and locks the data directory if the configuration uses it.
pub(crate) fn prepare(env: Env<'_>) -> Result<ServeSetup, CommandError> {
    let config = Config::for_serve(env)?;
    let mut lock = None;
    if config.uses_data_dir() {
        lock = Some(DataDirLock::acquire(&config.data_dir)?);
        config.create_data_dir()?;
    }
    Ok(ServeSetup { config, lock })
}

/// Fails if variables of the process have nearly the names of settings, besides the problems of `result`.
pub(crate) fn reject_misspelled<T>(result: Result<T, CommandError>) -> Result<T, CommandError> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let exports_telemetry = Reader::new(&process_env).flag(&settings::ENABLE_OTEL);
    let problems = misspelled(names, exports_telemetry);
    match result {
        result if problems.0.is_empty() => result,
        Ok(_) => Err(problems.into()),
        Err(error) => Err(error.and(problems)),
    }
}

/// Runs until SIGTERM or SIGINT, then drains.
pub(crate) async fn run() -> Result<(), CommandError> {
    let ServeSetup { config, lock } = reject_misspelled(prepare(&process_env))?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stdout).map_err(CommandError::other)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let (signals, reload) = (Signals::listen(), ReloadSignal::listen());
    let running = app::start(config, Dependencies::system(Arc::clone(&telemetry.metrics))).await?;
    let bound = running.bound;
    tracing::info!(
        public = %bound.public,
        grpc = bound.grpc.map(tracing::field::display),
        inner = bound.inner.map(tracing::field::display),
        admin = bound.admin.map(tracing::field::display),
        "serving"
    );
    stop_on_signal(running, &telemetry, signals, reload, true).await;
    drop(lock);
    Ok(())
}

/// Serves until a signal, then drains the server and exports the remaining telemetry within `SHUTDOWN_TIMEOUT`.
/// `is_announced`: the server first continues to serve, until load balancers know or until a second signal.
pub(super) async fn stop_on_signal(
    running: RunningServer,
    telemetry: &Telemetry,
    mut signals: Signals,
    mut reload: ReloadSignal,
    is_announced: bool,
) {
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = reload.next() => running.reload_tls(),
        }
    }
    let deadlines = running.shutdown_deadlines();
    tracing::info!("stopping once open requests have finished");
    if is_announced {
        tokio::select! {
            () = running.announce_stop(deadlines.announcement) => {}
            () = signals.next() => {}
        }
    }
    running.stop(deadlines).await;
    let rest = deadlines.exports.saturating_duration_since(Instant::now());
    tokio::task::block_in_place(|| telemetry.shutdown(rest));
}
