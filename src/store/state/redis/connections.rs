//! A few multiplexed connections. A task keeps each of them alive, and commands clone a handle instead of checking a
//! connection out of the pool, whose ping on checkout would double the round trips of every command.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT},
    pool::{ConnectionHandle, ConnectionPool, MAX_CONNECTIONS},
    script::Script,
};
use crate::domain::{Error, Result};

/// Interval between two probes of an idle connection.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Pause after the first failed attempt to connect; it doubles with each further one.
const MIN_RECONNECT_PAUSE: Duration = Duration::from_millis(50);
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(1);

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
    /// The server replies but cannot be used, such as a master that was demoted: reconnect without a probe.
    reconnect: AtomicBool,
}

#[derive(Default)]
struct ConnectionSlot {
    status: OnceLock<watch::Receiver<ConnectionStatus>>,
    signal: Arc<RecheckSignal>,
}

/// The connections of a process. Each is made when a command first needs it.
pub(super) struct RedisConnections {
    pool: Arc<ConnectionPool>,
    probe_key: String,
    slots: [ConnectionSlot; MAX_CONNECTIONS],
    next_slot: AtomicUsize,
}

impl RedisConnections {
    pub(super) fn new(pool: ConnectionPool, probe_key: String) -> Self {
        Self { pool: Arc::new(pool), probe_key, slots: Default::default(), next_slot: AtomicUsize::new(0) }
    }

    /// The number of open connections, and their maximum.
    pub(super) fn open(&self) -> [u32; 2] {
        let is_up = |slot: &&ConnectionSlot| {
            slot.status.get().is_some_and(|status| matches!(*status.borrow(), ConnectionStatus::Up(_)))
        };
        [self.slots.iter().filter(is_up).count(), MAX_CONNECTIONS].map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(*self.pool, ConnectionPool::Cluster(_))
    }

    /// Runs a script by its hash, and by its code when the server does not know the hash. `fill` adds the number of
    /// keys, the keys and the arguments.
    pub(super) async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        fill: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let filled = |mut command: Cmd| {
            fill(&mut command);
            command
        };
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        let mut outcome = self.run_until(deadline, &filled(script.evalsha())).await?;
        let is_unknown = |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        if outcome.as_ref().err().is_some_and(is_unknown) {
            outcome = self.run_until(deadline, &filled(script.eval())).await?;
        }
        outcome.map_err(|error| domain_error(&error))
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.run_until(Instant::now() + COMMAND_TIMEOUT, command).await?.map_err(|error| domain_error(&error))
    }

    /// Fails when Redis does not reply.
    pub(super) async fn ping(&self) -> Result<()> {
        self.run::<i64>(&probe_command(&self.probe_key)).await.map(|_| ())
    }

    /// Runs a command that has to end by the deadline. The outer error reports that no reply came in time, the inner
    /// one is the driver's.
    async fn run_until<T: FromRedisValue>(&self, deadline: Instant, command: &Cmd) -> Result<Result<T, RedisError>> {
        let run = async { Ok(self.handle().await?.run(command).await) };
        let outcome = timeout_at(deadline, run).await.unwrap_or_else(|elapsed| {
            self.recheck_all(false);
            Err(Error::unavailable(elapsed))
        })?;
        if let Err(error) = &outcome {
            if is_broken(error) {
                self.recheck_all(false);
            } else if is_read_only(error) {
                self.recheck_all(true);
            }
        }
        Ok(outcome)
    }

    /// The next connection that is up, in turns. When none is up, waits for one that is being made.
    async fn handle(&self) -> Result<ConnectionHandle> {
        let first = self.next_slot.fetch_add(1, Ordering::Relaxed);
        let mut connecting = None;
        for step in 0..MAX_CONNECTIONS {
            let status = self.slots[(first + step) % MAX_CONNECTIONS].status(&self.pool, &self.probe_key);
            match &*status.borrow() {
                ConnectionStatus::Up(handle) => return Ok(handle.clone()),
                ConnectionStatus::Connecting if connecting.is_none() => connecting = Some(status.clone()),
                ConnectionStatus::Connecting | ConnectionStatus::Down => {}
            }
        }
        let Some(mut status) = connecting else { return Err(Error::unavailable("Redis cannot be reached")) };
        let result = status
            .wait_for(|status| !matches!(status, ConnectionStatus::Connecting))
            .await
            .map_err(Error::unavailable)?;
        match &*result {
            ConnectionStatus::Up(handle) => Ok(handle.clone()),
            ConnectionStatus::Connecting | ConnectionStatus::Down => Err(Error::unavailable("Redis cannot be reached")),
        }
    }

    fn recheck_all(&self, reconnect: bool) {
        for slot in &self.slots {
            if reconnect {
                slot.signal.reconnect.store(true, Ordering::Release);
            }
            slot.signal.recheck.notify_one();
        }
    }
}

impl ConnectionSlot {
    /// The status of the connection. The first call starts the connection's task, which ends with the last receiver.
    fn status(&self, pool: &Arc<ConnectionPool>, probe_key: &str) -> &watch::Receiver<ConnectionStatus> {
        self.status.get_or_init(|| {
            let (sender, receiver) = watch::channel(ConnectionStatus::Connecting);
            let probe = probe_command(probe_key);
            tokio::spawn(keep_connected(Arc::clone(pool), probe, sender, Arc::clone(&self.signal)));
            receiver
        })
    }
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
                signal.reconnect.store(false, Ordering::Release);
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
    loop {
        tokio::select! {
            () = signal.recheck.notified() => {}
            () = sleep(PROBE_INTERVAL) => {}
        }
        if signal.reconnect.load(Ordering::Acquire) {
            return;
        }
        match timeout(COMMAND_TIMEOUT, connection.run::<i64>(probe)).await {
            // A reply shows that the connection works, also when the reply is an error.
            Ok(outcome) if outcome.as_ref().err().is_none_or(|error| !is_broken(error)) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

fn probe_command(key: &str) -> Cmd {
    let mut command = redis::cmd("EXISTS");
    command.arg(key);
    command
}

fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}

/// The error without the server's and the driver's message, which may quote arguments (`unknown command …, with args
/// beginning with …`) and so the hash of a token. Keeps the kind, and the operating system's message.
fn domain_error(error: &RedisError) -> Error {
    let kind = error.kind();
    Error::unavailable(match (kind, error.code()) {
        (ErrorKind::Io, _) => error.to_string(),
        (_, Some(code)) => format!("Redis refused a command ({kind:?}, {code})"),
        (_, None) => format!("Redis refused a command ({kind:?})"),
    })
}

/// Redis 6 wraps an error inside a script into another one, so the message is searched as well.
fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.detail().is_some_and(|detail| detail.contains("READONLY"))
}
