//! Writes that replicas have to confirm, so that a failover does not take them back (`REDIS_WAIT_REPLICAS`).
//!
//! `WAIT` blocks its connection, so these writes have one of their own, and a task that groups them: all that came
//! while a group was under way are the next group, and one `WAIT` confirms them. A write and its `WAIT` go over the same
//! connection, and so to the same server: a write that the old master has executed cannot be confirmed by the replicas
//! of the new one. A marker is written before each `WAIT`, so that it also covers writes of others that a reply reports,
//! such as an earlier approval of a grant. Replication is ordered.

use std::sync::{Arc, OnceLock};

use redis::{Cmd, FromRedisValue, RedisError, Value};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    confirmation::{Group, Reply, confirm},
    connection_slot::{ConnectionSlot, SlotConnection, unreachable_redis},
    keys::Keys,
    options::CONFIRMATION_TIMEOUT,
    pool::{ConnectionHandle, ConnectionPool},
};
use crate::domain::{Error, Result};

/// Writes that wait for the next group. Further ones fail at once.
const QUEUE_CAPACITY: usize = 1_024;
/// Writes of one group.
const MAX_GROUP: usize = 128;

struct QueuedWrite {
    command: Cmd,
    key: String,
    reply: oneshot::Sender<Reply>,
}

/// The queue of writes. The first one starts the task.
pub(super) struct ConfirmedWrites {
    queue: OnceLock<mpsc::Sender<QueuedWrite>>,
    slot: Arc<ConnectionSlot>,
    pool: Arc<ConnectionPool>,
    keys: Keys,
    replicas: u8,
}

impl ConfirmedWrites {
    pub(super) fn new(pool: Arc<ConnectionPool>, keys: &Keys, replicas: u8) -> Self {
        Self { queue: OnceLock::new(), slot: Arc::default(), pool, keys: keys.clone(), replicas }
    }

    /// The connection.
    pub(super) fn slot(&self) -> &ConnectionSlot {
        &self.slot
    }

    /// Runs a write that has to be confirmed by the deadline. The outer error reports that it was not: it may have been
    /// executed. The inner one is the driver's.
    pub(super) async fn run_until<T: FromRedisValue>(
        &self,
        deadline: Instant,
        command: Cmd,
        key: &str,
    ) -> Result<Result<T, RedisError>> {
        let (reply, receiver) = oneshot::channel();
        let write = QueuedWrite { command, key: key.to_owned(), reply };
        self.queue().try_send(write).map_err(|_| Error::unavailable("too many writes wait for replicas of Redis"))?;
        let replied = timeout_at(deadline, receiver).await.map_err(Error::unavailable)?;
        Ok(match replied.map_err(Error::unavailable)?? {
            Value::ServerError(error) => Err(error.into()),
            value => T::from_redis_value(value).map_err(RedisError::from),
        })
    }

    fn queue(&self) -> &mpsc::Sender<QueuedWrite> {
        self.queue.get_or_init(|| {
            let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
            let task = Confirmer {
                slot: Arc::clone(&self.slot),
                pool: Arc::clone(&self.pool),
                probe_key: self.keys.probe(),
                marker_key: self.keys.confirmation(),
                replicas: self.replicas,
                is_reported: false,
            };
            tokio::spawn(task.run(receiver));
            sender
        })
    }
}

/// Runs one group after the other.
struct Confirmer {
    slot: Arc<ConnectionSlot>,
    pool: Arc<ConnectionPool>,
    probe_key: String,
    marker_key: String,
    replicas: u8,
    /// Whether the log says that replicas confirm no writes.
    is_reported: bool,
}

impl Confirmer {
    /// Ends with the queue.
    async fn run(mut self, mut queue: mpsc::Receiver<QueuedWrite>) {
        let mut queued = Vec::new();
        while queue.recv_many(&mut queued, MAX_GROUP).await > 0 {
            let connected = self.connect().await;
            let mut writes = Vec::new();
            let mut replies = Vec::new();
            // A write whose caller has given up is not sent.
            for write in queued.drain(..).filter(|write| !write.reply.is_closed()) {
                writes.push((write.command, write.key));
                replies.push(write.reply);
            }
            let outcomes = match connected {
                _ if writes.is_empty() => continue,
                Ok(handle) => self.confirm(handle, &writes).await,
                Err(error) => {
                    let cause = error.to_string();
                    writes.iter().map(|_| Err(Error::unavailable(cause.clone()))).collect()
                }
            };
            for (reply, outcome) in replies.into_iter().zip(outcomes) {
                // The caller may have given up meanwhile.
                let _ = reply.send(outcome);
            }
        }
    }

    /// The outcome of each write.
    async fn confirm(&mut self, handle: ConnectionHandle, writes: &[(Cmd, String)]) -> Vec<Reply> {
        let deadline = Instant::now() + CONFIRMATION_TIMEOUT;
        let group = Group { writes, marker_key: &self.marker_key, replicas: self.replicas, deadline };
        let confirmed = confirm(handle, &group).await;
        if let Some(fault) = confirmed.fault {
            self.slot.recheck(fault);
        }
        self.report(confirmed.shortage);
        confirmed.replies
    }

    /// Waits for an attempt to connect, which has a limit of its own.
    async fn connect(&self) -> Result<ConnectionHandle> {
        match self.slot.connection(&self.pool, &self.probe_key) {
            SlotConnection::Up(handle) => Ok(handle),
            SlotConnection::Connecting(pending) => pending.wait().await,
            SlotConnection::Down => Err(unreachable_redis()),
        }
    }

    /// Logs when confirmations begin to fail, and when they succeed again.
    fn report(&mut self, shortage: Option<bool>) {
        match shortage {
            Some(true) if !std::mem::replace(&mut self.is_reported, true) => {
                tracing::warn!(required = self.replicas, "too few replicas of Redis confirm writes; these get 503");
            }
            Some(false) if std::mem::take(&mut self.is_reported) => {
                tracing::info!("the replicas of Redis confirm writes again");
            }
            _ => {}
        }
    }
}
