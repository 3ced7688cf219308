//! A few multiplexed connections. Commands clone a handle instead of checking a connection out of the pool, whose ping
//! on checkout would double the round trips of every command.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use redis::{Cmd, FromRedisValue, RedisError};
use tokio::time::{Instant, timeout_at};

use super::{
    confirmed_writes::ConfirmedWrites,
    connection_slot::{ConnectionSlot, SlotConnection, probe_command, unreachable_redis},
    driver_error::{ConnectionFault, domain_error, fault_of, is_unknown_script},
    keys::Keys,
    options::COMMAND_TIMEOUT,
    pool::{ConnectionHandle, ConnectionPool, SHARED_CONNECTIONS},
    script::Script,
};
use crate::domain::{Error, Result};

/// When a write counts as done.
#[derive(Clone, Copy)]
pub(super) enum Durability<'a> {
    /// The master has it. A failover may take it back.
    Master,
    /// As many replicas as the settings require have it as well. The key is that of the command.
    Replicas { key: &'a str },
}

/// The connections of a process. Each is made when a command first needs it.
pub(super) struct RedisConnections {
    pool: Arc<ConnectionPool>,
    probe_key: String,
    slots: [ConnectionSlot; SHARED_CONNECTIONS],
    next_slot: AtomicUsize,
    /// `None`: no write is confirmed by replicas.
    confirmed_writes: Option<ConfirmedWrites>,
}

impl RedisConnections {
    /// `wait_replicas` is the number of replicas that confirm a write; 0 for none.
    pub(super) fn new(pool: ConnectionPool, keys: &Keys, wait_replicas: u8) -> Self {
        let (pool, probe_key) = (Arc::new(pool), keys.probe());
        let confirmed_writes =
            (wait_replicas > 0).then(|| ConfirmedWrites::new(Arc::clone(&pool), keys, wait_replicas));
        Self { pool, probe_key, slots: Default::default(), next_slot: AtomicUsize::new(0), confirmed_writes }
    }

    /// The number of open connections, and their maximum.
    pub(super) fn open(&self) -> [u32; 2] {
        let confirmed = self.confirmed_writes.as_ref().map(ConfirmedWrites::slot);
        let slots = || self.slots.iter().chain(confirmed);
        [slots().filter(|slot| slot.is_up()).count(), slots().count()]
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    pub(super) fn is_cluster(&self) -> bool {
        self.pool.is_cluster()
    }

    pub(super) fn confirms_writes(&self) -> bool {
        self.confirmed_writes.is_some()
    }

    /// Runs a script by its hash, and by its code when the server does not know the hash. `fill` adds the number of
    /// keys, the keys and the arguments.
    pub(super) async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        durability: Durability<'_>,
        fill: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let filled = |mut command: Cmd| {
            fill(&mut command);
            command
        };
        let deadline = Instant::now() + COMMAND_TIMEOUT;
        let mut outcome = self.run_until(deadline, filled(script.evalsha()), durability).await?;
        if outcome.as_ref().err().is_some_and(is_unknown_script) {
            outcome = self.run_until(deadline, filled(script.eval()), durability).await?;
        }
        outcome.map_err(|error| domain_error(&error))
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd, durability: Durability<'_>) -> Result<T> {
        let outcome = self.run_until(Instant::now() + COMMAND_TIMEOUT, command.clone(), durability).await?;
        outcome.map_err(|error| domain_error(&error))
    }

    /// Fails when Redis does not reply.
    pub(super) async fn ping(&self) -> Result<()> {
        self.run::<i64>(&probe_command(&self.probe_key), Durability::Master).await.map(|_| ())
    }

    /// Runs a command that has to end by the deadline. The outer error reports that no reply came in time or too few
    /// replicas confirmed a write, the inner one is the driver's.
    async fn run_until<T: FromRedisValue>(
        &self,
        deadline: Instant,
        command: Cmd,
        durability: Durability<'_>,
    ) -> Result<Result<T, RedisError>> {
        if let (Durability::Replicas { key }, Some(confirmed_writes)) = (durability, &self.confirmed_writes) {
            return confirmed_writes.run_until(deadline, command, key).await;
        }
        let run = async { Ok(self.handle().await?.run(&command).await) };
        let outcome = timeout_at(deadline, run).await.unwrap_or_else(|elapsed| {
            self.recheck_all(ConnectionFault::Broken);
            Err(Error::unavailable(elapsed))
        })?;
        if let Some(fault) = outcome.as_ref().err().and_then(fault_of) {
            self.recheck_all(fault);
        }
        Ok(outcome)
    }

    /// The next connection that is up, in turns. When none is up, waits for one that is being made.
    async fn handle(&self) -> Result<ConnectionHandle> {
        let first = self.next_slot.fetch_add(1, Ordering::Relaxed);
        let mut connecting = None;
        for step in 0..SHARED_CONNECTIONS {
            match self.slots[(first + step) % SHARED_CONNECTIONS].connection(&self.pool, &self.probe_key) {
                SlotConnection::Up(handle) => return Ok(handle),
                SlotConnection::Connecting(pending) => connecting = connecting.or(Some(pending)),
                SlotConnection::Down => {}
            }
        }
        match connecting {
            Some(pending) => pending.wait().await,
            None => Err(unreachable_redis()),
        }
    }

    fn recheck_all(&self, fault: ConnectionFault) {
        for slot in &self.slots {
            slot.recheck(fault);
        }
    }
}
