//! `serve`: the production command.

use std::sync::{Arc, atomic::AtomicI64};

use super::{Failure, operator::lock_if_used};
use crate::{
    app::{self, Running, Surroundings},
    config::{Config, DataDirLock, Env, process_env},
    ports::{clock::SystemClock, entropy::SystemEntropy},
    telemetry::{Output, Telemetry},
};

/// What `serve` starts from.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub config: Config,
    /// Keeps other processes out of the data directory, where one is used.
    pub lock: Option<DataDirLock>,
}

/// Reads the configuration and locks the data directory when there is anything in it.
pub fn prepare(env: Env<'_>) -> Result<Prepared, Failure> {
    let config = Config::for_serve(env)?;
    let lock = lock_if_used(&config)?;
    Ok(Prepared { config, lock })
}

/// Runs until SIGTERM or SIGINT, then drains.
pub async fn run() -> Result<(), Failure> {
    let Prepared { config, lock } = prepare(&process_env)?;
    let telemetry = Telemetry::install(&config.telemetry, Output::Stdout).map_err(Failure::other)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let running = app::start(config, surroundings(&telemetry)).await?;
    let bound = running.bound;
    tracing::info!(
        public = %bound.public,
        grpc = bound.grpc.map(tracing::field::display),
        inner = bound.inner.map(tracing::field::display),
        admin = bound.admin.map(tracing::field::display),
        "serving"
    );
    until_told_to_stop(running, &telemetry).await;
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

/// Waits for SIGTERM or SIGINT, then drains and writes out what telemetry still holds.
pub(super) async fn until_told_to_stop(running: Running, telemetry: &Telemetry) {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: open requests are finished first");
    running.stop().await;
    tokio::task::block_in_place(|| telemetry.shutdown());
}
