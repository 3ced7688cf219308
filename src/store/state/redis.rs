//! State in Redis: the connections, the names of keys and the loading of scripts. The implementations of the ports are
//! beside their in-process counterparts.
//!
//! Every decision is one script that runs by Redis' own clock, every command has a bounded latency, and a broken
//! connection is replaced in the background.

mod connections;
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

use self::{connections::RedisConnections, keys::Keys, options::RedisOptions, pool::ConnectionPool, script::Script};
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
        let connections =
            RedisConnections::new(ConnectionPool::new(&options.topology, &options.certificates)?, keys.probe());
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
        self.observed(operation_of(command), self.connections.run(command)).await
    }

    /// Runs a script that uses the clock. Its first argument is the offset of the clock; `add_arguments` adds the
    /// others.
    pub(super) async fn eval<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs + Sync],
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        let with_offset = |command: &mut Cmd| {
            command.arg(offset);
            add_arguments(command);
        };
        self.eval_without_clock(script, keys, with_offset).await
    }

    /// Runs a script that does not use the clock; `add_arguments` adds all its arguments.
    pub(super) async fn eval_without_clock<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[impl ToRedisArgs + Sync],
        add_arguments: impl Fn(&mut Cmd) + Send + Sync,
    ) -> Result<T> {
        let fill = |command: &mut Cmd| {
            command.arg(keys.len());
            for key in keys {
                command.arg(key);
            }
            add_arguments(command);
        };
        self.observed("EVALSHA", self.connections.eval(script, fill)).await
    }

    async fn observed<T>(&self, operation: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        observed(StoreCall { system: "redis", operation }, self.observer.as_ref(), work).await
    }
}

#[async_trait]
impl StateHealth for RedisState {
    async fn check_commands(&self) -> Result<()> {
        let reply: Vec<String> = self.eval_without_clock(&PROBE, &self.keys.probe_kinds(), |_| {}).await?;
        match <[String; 2]>::try_from(reply) {
            Ok([command, reason]) => Err(Error::unavailable(RefusedCommandError { command, reason })),
            Err(_) => Ok(()),
        }
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
