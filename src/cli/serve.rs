//! `serve`: the production command.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, operator::lock_if_used};
use crate::{
    app::{self, Running, Surroundings},
    config::{Config, DataDirLock, Env, process_env},
    ports::{clock::SystemClock, entropy::SystemEntropy},
    telemetry::{Output, Telemetry},
};

/// How long a server that was told to stop takes requests that are still sent to it.
const STEP_BACK: Duration = Duration::from_secs(2);

/// What `serve` starts from.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The configuration.
    pub config: Config,
    /// Keeps other processes out of the data directory, where one is used.
    pub lock: Option<DataDirLock>,
}

/// Reads the configuration and locks the data directory when there is anything in it.
pub(crate) fn prepare(env: Env<'_>) -> Result<Prepared, Failure> {
    let config = Config::for_serve(env)?;
    let lock = lock_if_used(&config)?;
    Ok(Prepared { config, lock })
}

/// Runs until SIGTERM or SIGINT, then drains.
pub(crate) async fn run() -> Result<(), Failure> {
    let Prepared { config, lock } = prepare(&process_env)?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stdout).map_err(Failure::other)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let signals = Signals::listen();
    let running = app::start(config, surroundings(&telemetry)).await?;
    let bound = running.bound;
    tracing::info!(
        public = %bound.public,
        grpc = bound.grpc.map(tracing::field::display),
        inner = bound.inner.map(tracing::field::display),
        admin = bound.admin.map(tracing::field::display),
        "serving"
    );
    until_told_to_stop(running, &telemetry, signals, STEP_BACK).await;
    drop(lock);
    Ok(())
}

/// The machine's clock and randomness.
pub(super) fn surroundings(telemetry: &Telemetry) -> Surroundings {
    Surroundings {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::clone(&telemetry.metrics),
        redis_clock_offset: Arc::new(AtomicI64::new(0)),
    }
}

/// The signals that end a server, listened for from before it says that it is ready.
pub(super) struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    /// Listens from now on. A signal that cannot be listened for ends the process in the system's own way.
    pub(super) fn listen() -> Self {
        Self { terminate: signal(SignalKind::terminate()).ok(), interrupt: signal(SignalKind::interrupt()).ok() }
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            () = received(self.terminate.as_mut()) => {}
            () = received(self.interrupt.as_mut()) => {}
        }
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits for SIGTERM or SIGINT, steps back for a moment, which a second signal ends, then drains and writes out what
/// telemetry still holds.
pub(super) async fn until_told_to_stop(
    running: Running,
    telemetry: &Telemetry,
    mut signals: Signals,
    moment: Duration,
) {
    signals.next().await;
    tracing::info!("stopping once open requests have finished");
    tokio::select! {
        () = running.step_back(moment) => {}
        () = signals.next() => {}
    }
    running.stop().await;
    tokio::task::block_in_place(|| telemetry.shutdown());
}
