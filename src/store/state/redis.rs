//! State in Redis: the connections, the names of keys and the loading of scripts. The implementations of the ports are
//! beside their in-process counterparts.
//!
//! Every decision is one script that runs by Redis' own clock, every command has a bounded latency, and a broken
//! connection is replaced in the background.

mod connections;
pub(crate) mod keys;
pub(crate) mod options;
mod pool;
pub(crate) mod script;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, ToRedisArgs};

use self::{connections::Connections, keys::Keys, options::RedisOptions, pool::ConnectionPool, script::Script};
use crate::{
    domain::{Error, Result, limit::LimitDecision},
    ports::{redis_topology::RedisTopology, state_stores::StateHealth},
};

/// The state in one Redis. Each port is implemented for it in the folder of the port.
pub(crate) struct RedisState {
    connections: Connections,
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
        let connections = Connections::new(ConnectionPool::new(&options.topology)?, keys.probe());
        Ok(Self { connections, keys, clock_offset: options.clock_offset })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether this is a cluster, where the keys of one command have to be in the same slot.
    pub(super) fn is_cluster(&self) -> bool {
        self.connections.is_cluster()
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        self.connections.run(command).await
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
        self.connections.eval(script, fill).await
    }
}

#[async_trait]
impl StateHealth for RedisState {
    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }
}

/// The verdict behind a script's reply: 0 when allowed, otherwise the microseconds to wait.
pub(super) fn verdict(wait_us: u64) -> LimitDecision {
    if wait_us == 0 { LimitDecision::Allowed } else { LimitDecision::Limited(Duration::from_micros(wait_us)) }
}
