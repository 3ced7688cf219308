//! State in Redis: the connections, the names of keys and the loading of scripts. The implementations of the ports are
//! beside their in-process counterparts.
//!
//! Every decision is one script that runs by Redis' own clock, every command has a bounded latency, and a broken
//! connection is replaced in the background.

mod cluster;
mod confirmation;
mod confirmed_writes;
mod connection_slot;
mod connections;
mod driver_error;
pub(crate) mod keys;
mod managers;
pub(crate) mod options;
mod pool;
pub(crate) mod script;

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{Arg, Cmd, FromRedisValue, ToRedisArgs};

use self::{
    connections::{Durability, RedisConnections},
    keys::Keys,
    options::RedisOptions,
    pool::ConnectionPool,
    script::Script,
};
use crate::{
    domain::{Error, Result, limit::LimitDecision},
    ports::{
        redis_topology::RedisTopology,
        state_stores::{RefusedCommandError, StateHealth},
        store_observer::{StoreCall, StoreObserver},
    },
    store::observed::observed,
};

/// Runs every command once.
static PROBE: LazyLock<Script> = LazyLock::new(|| Script::new(&[include_str!("redis/probe.lua")]));

/// The state in one Redis. Each port is implemented for it in the folder of the port.
pub(crate) struct RedisState {
    connections: RedisConnections,
    observer: Option<Arc<dyn StoreObserver>>,
    keys: Keys,
    clock_offset: Arc<AtomicI64>,
}

impl RedisState {
    /// Checks the options. Connects with the first command, so that a start does not wait for Redis.
    pub(super) fn connect(options: RedisOptions) -> Result<Self> {
        let has_braces = options.key_prefix.as_deref().is_some_and(|prefix| prefix.contains(['{', '}']));
        if has_braces && matches!(options.topology, RedisTopology::Cluster { .. }) {
            return Err(Error::internal(
                "REDIS_KEY_PREFIX contains braces, which would scatter keys over a cluster's slots; remove them",
            ));
        }
        let keys = Keys::new(options.key_prefix.as_deref());
        let pool = ConnectionPool::new(options.topology, options.certificates, options.authorities)?;
        let connections = RedisConnections::new(pool, &keys, options.wait_replicas);
        Ok(Self { connections, observer: options.observer, keys, clock_offset: options.clock_offset })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether this is a cluster, where the keys of one command have to be in the same slot.
    pub(super) fn is_cluster(&self) -> bool {
        self.connections.is_cluster()
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.observed(operation_of(command), self.connections.run(command, Durability::Master)).await
    }

    /// Runs a write of a key that a failover must not take back: replicas confirm it, or it fails with
    /// `service_unavailable`, after which it may have been executed, and may be taken back.
    pub(super) async fn run_confirmed<T: FromRedisValue>(&self, key: &str, command: &Cmd) -> Result<T> {
        let durability = Durability::Replicas { key };
        self.observed(operation_of(command), self.connections.run(command, durability)).await
    }

    /// Runs a script that uses the clock. Its first argument is the offset of the clock; `add_arguments` adds the
    /// others.
    pub(super) async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs + Sync],
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        self.eval_with(script, keys, Durability::Master, self.with_offset(add_arguments)).await
    }

    /// Runs a script that uses the clock and writes one key, like `run_confirmed`.
    pub(super) async fn eval_confirmed<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        self.eval_with(script, &[key], Durability::Replicas { key }, self.with_offset(add_arguments)).await
    }

    /// Runs a script that does not use the clock; `add_arguments` adds all its arguments.
    pub(super) async fn eval_without_clock<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs + Sync],
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        self.eval_with(script, keys, Durability::Master, add_arguments).await
    }

    async fn eval_with<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs + Sync],
        durability: Durability<'_>,
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let fill = |command: &mut Cmd| {
            command.arg(keys.len());
            for key in keys {
                command.arg(key);
            }
            add_arguments(command);
        };
        self.observed("EVALSHA", self.connections.eval(script, durability, fill)).await
    }

    /// Adds the offset of the clock before the other arguments.
    fn with_offset(&self, add_arguments: impl Fn(&mut Cmd) + Send + Sync) -> impl Fn(&mut Cmd) + Send + Sync {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        move |command: &mut Cmd| {
            command.arg(offset);
            add_arguments(command);
        }
    }

    async fn observed<T>(&self, operation: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        observed(StoreCall { system: "redis", operation }, self.observer.as_ref(), work).await
    }
}

#[async_trait]
impl StateHealth for RedisState {
    async fn check_commands(&self) -> Result<()> {
        let reply: Vec<String> = self.eval_without_clock(&PROBE, &self.keys.probe_kinds(), |_| {}).await?;
        if let Ok([command, reason]) = <[String; 2]>::try_from(reply) {
            return Err(Error::unavailable(RefusedCommandError { command, reason }));
        }
        if self.connections.confirms_writes() {
            let key = self.keys.confirmation();
            let mut write = redis::cmd("SET");
            self.run_confirmed::<()>(&key, write.arg(&key).arg("1").arg("PX").arg(1_000)).await?;
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        self.observed("EXISTS", self.connections.ping()).await
    }

    fn connections(&self) -> Option<[u32; 2]> {
        Some(self.connections.open())
    }
}

/// The name of a command in spans and metrics.
fn operation_of(command: &Cmd) -> &'static str {
    const NAMES: [&str; 7] = ["DEL", "EXISTS", "GET", "HMGET", "MGET", "SET", "ZREM"];
    let name = match command.args_iter().next() {
        Some(Arg::Simple(name)) => name,
        _ => &[],
    };
    NAMES.into_iter().find(|known| known.as_bytes() == name).unwrap_or("OTHER")
}

/// The verdict behind a script's reply: 0 when allowed, otherwise the microseconds to wait.
pub(super) fn verdict(wait_us: u64) -> LimitDecision {
    if wait_us == 0 { LimitDecision::Allowed } else { LimitDecision::Limited(Duration::from_micros(wait_us)) }
}
