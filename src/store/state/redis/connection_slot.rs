//! A connection that a task makes, probes, and replaces when it breaks.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use redis::Cmd;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    driver_error::{ConnectionFault, is_broken},
    options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT},
    pool::{ConnectionHandle, ConnectionPool},
};
use crate::domain::{Error, Result};

/// Interval between two probes of an idle connection.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after the first failed attempt to connect; it doubles with each further one.
const MIN_RECONNECT_PAUSE: Duration = Duration::from_millis(50);
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(1);
/// How long a connection to a master without replicas is used at least, because there may be no other master.
const MIN_USE: Duration = Duration::from_secs(1);

#[derive(Clone)]
enum ConnectionStatus {
    /// The first attempt to connect, or the first after the connection broke. Commands wait for its result.
    Connecting,
    Up(ConnectionHandle),
    /// The last attempt failed and the next one follows. Commands fail at once.
    Down,
}

/// Makes the task of a connection check it before the next probe is due.
#[derive(Default)]
struct RecheckSignal {
    recheck: Notify,
    /// The worst one since the last check.
    fault: Mutex<Option<ConnectionFault>>,
}

/// A connection that is made when a command first needs it.
#[derive(Default)]
pub(super) struct ConnectionSlot {
    status: OnceLock<watch::Receiver<ConnectionStatus>>,
    signal: Arc<RecheckSignal>,
}

/// The connection of a slot as it is now.
pub(super) enum SlotConnection {
    Up(ConnectionHandle),
    Connecting(PendingConnection),
    Down,
}

/// A connection that is being made.
pub(super) struct PendingConnection(watch::Receiver<ConnectionStatus>);

impl ConnectionSlot {
    /// The connection. The first call starts its task, which ends with the slot.
    pub(super) fn connection(&self, pool: &Arc<ConnectionPool>, probe_key: &str) -> SlotConnection {
        let status = self.status.get_or_init(|| {
            let (sender, receiver) = watch::channel(ConnectionStatus::Connecting);
            let probe = probe_command(probe_key);
            tokio::spawn(keep_connected(Arc::clone(pool), probe, sender, Arc::clone(&self.signal)));
            receiver
        });
        match &*status.borrow() {
            ConnectionStatus::Up(handle) => SlotConnection::Up(handle.clone()),
            ConnectionStatus::Connecting => SlotConnection::Connecting(PendingConnection(status.clone())),
            ConnectionStatus::Down => SlotConnection::Down,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.status.get().is_some_and(|status| matches!(*status.borrow(), ConnectionStatus::Up(_)))
    }

    /// Makes the task check the connection now.
    pub(super) fn recheck(&self, fault: ConnectionFault) {
        let mut worst = self.signal.fault.lock();
        *worst = (*worst).max(Some(fault));
        drop(worst);
        self.signal.recheck.notify_one();
    }
}

impl PendingConnection {
    /// Waits for the result of the attempt to connect.
    pub(super) async fn wait(mut self) -> Result<ConnectionHandle> {
        let result = self
            .0
            .wait_for(|status| !matches!(status, ConnectionStatus::Connecting))
            .await
            .map_err(Error::unavailable)?;
        match &*result {
            ConnectionStatus::Up(handle) => Ok(handle.clone()),
            ConnectionStatus::Connecting | ConnectionStatus::Down => Err(unreachable_redis()),
        }
    }
}

pub(super) fn unreachable_redis() -> Error {
    Error::unavailable("Redis cannot be reached")
}

/// Connects, probes the connection, and connects again when it breaks.
async fn keep_connected(
    pool: Arc<ConnectionPool>,
    probe: Cmd,
    status: watch::Sender<ConnectionStatus>,
    signal: Arc<RecheckSignal>,
) {
    let mut pause = MIN_RECONNECT_PAUSE;
    let mut is_reported = false;
    while !status.is_closed() {
        let connected =
            timeout(CONNECT_TIMEOUT, pool.connect()).await.unwrap_or_else(|elapsed| Err(Error::unavailable(elapsed)));
        match connected {
            Ok(connection) => {
                if std::mem::take(&mut is_reported) {
                    tracing::info!("Redis is back");
                }
                pause = MIN_RECONNECT_PAUSE;
                signal.fault.lock().take();
                status.send_replace(ConnectionStatus::Up(connection.clone()));
                tokio::select! {
                    () = until_broken(connection, &probe, &signal) => {}
                    () = status.closed() => return,
                }
                status.send_replace(ConnectionStatus::Connecting);
            }
            Err(error) => {
                if !std::mem::replace(&mut is_reported, true) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "Redis cannot be reached; still trying");
                }
                status.send_replace(ConnectionStatus::Down);
                tokio::select! {
                    () = sleep(pause) => pause = (pause * 2).min(MAX_RECONNECT_PAUSE),
                    () = status.closed() => return,
                }
            }
        }
    }
}

async fn until_broken(mut connection: ConnectionHandle, probe: &Cmd, signal: &RecheckSignal) {
    let made = Instant::now();
    loop {
        tokio::select! {
            () = signal.recheck.notified() => {}
            () = sleep(PROBE_INTERVAL) => {}
        }
        let fault = signal.fault.lock().take();
        match fault {
            Some(ConnectionFault::Unusable) => return,
            Some(ConnectionFault::LacksReplicas) if made.elapsed() >= MIN_USE => return,
            Some(ConnectionFault::LacksReplicas | ConnectionFault::Broken) | None => {}
        }
        match timeout(COMMAND_TIMEOUT, connection.run::<i64>(probe)).await {
            // A reply shows that the connection works, also when the reply is an error.
            Ok(outcome) if outcome.as_ref().err().is_none_or(|error| !is_broken(error)) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

/// A command without effect.
pub(super) fn probe_command(key: &str) -> Cmd {
    let mut command = redis::cmd("EXISTS");
    command.arg(key);
    command
}
