//! How Redis is reached, and the pool that makes its connections.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use deadpool_redis::{PoolConfig, Runtime, Timeouts, cluster, sentinel};
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisError, aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
};

use crate::domain::{Error, Result, secret::Secret};

/// How long making a connection may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long one command may take in all, waiting for a connection and loading its script included.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);
/// How many multiplexed connections a process keeps. Redis runs one command at a time; more would not be faster.
pub(super) const LINKS: usize = 4;

/// Where Redis is.
#[derive(Clone, Debug)]
pub(crate) enum Topology {
    /// One server.
    Single {
        /// `redis://` or `rediss://`, with credentials and database number.
        url: Secret,
    },
    /// The master that sentinels agree on.
    Sentinel {
        /// The sentinels, with their own credentials.
        urls: Vec<Secret>,
        /// The name they know the master by.
        service_name: String,
        /// User on the master.
        username: Option<String>,
        /// Password on the master.
        password: Option<Secret>,
        /// Database number on the master.
        db: i64,
        /// Whether the master speaks TLS.
        tls: bool,
    },
    /// A cluster.
    Cluster {
        /// Nodes to begin with, with credentials.
        urls: Vec<Secret>,
    },
}

/// Everything `Redis::connect` needs.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    /// Where it is.
    pub topology: Topology,
    /// What every key starts with, trimmed; joined by `:`.
    pub key_prefix: Option<String>,
    /// Microseconds added to Redis' clock: 0 outside tests.
    pub clock_offset: Arc<AtomicI64>,
}

impl RedisOptions {
    /// Options for a place, without a prefix and by Redis' own clock.
    pub(crate) fn new(topology: Topology) -> Self {
        Self { topology, key_prefix: None, clock_offset: Arc::default() }
    }

    /// Puts a prefix before every key.
    #[must_use]
    pub(crate) fn key_prefix(mut self, prefix: Option<String>) -> Self {
        self.key_prefix = prefix;
        self
    }
}

/// The pool behind the links: it knows how to reach each topology.
pub(super) enum Pool {
    Single(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

/// A connection checked out for good.
pub(super) enum Held {
    Single(deadpool_redis::Connection),
    Sentinel(sentinel::Connection),
    Cluster(cluster::Connection),
}

/// A handle on a held connection, cloned per command.
#[derive(Clone)]
pub(super) enum Link {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Pool {
    /// Reads the options. Nothing is connected yet.
    pub(super) fn new(topology: &Topology) -> Result<Self> {
        let timeouts =
            Timeouts { wait: Some(CONNECT_TIMEOUT), create: Some(CONNECT_TIMEOUT), recycle: Some(CONNECT_TIMEOUT) };
        let config = PoolConfig { max_size: LINKS, timeouts, ..PoolConfig::default() };
        let exposed = |urls: &[Secret]| urls.iter().map(|url| url.expose().to_owned()).collect::<Vec<_>>();
        match topology {
            Topology::Single { url } => {
                let connection = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(COMMAND_TIMEOUT));
                let manager =
                    deadpool_redis::Manager::new_with_config(url.expose(), connection).map_err(|e| unreadable(&e))?;
                let pool = deadpool_redis::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Single(pool.map_err(Error::internal)?))
            }
            Topology::Sentinel { urls, service_name, username, password, db, tls } => {
                let node = sentinel::SentinelNodeConnectionInfo {
                    tls_mode: tls.then_some(sentinel::TlsMode::Secure),
                    redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                        db: *db,
                        username: username.clone(),
                        password: password.as_ref().map(|password| password.expose().to_owned()),
                        protocol: deadpool_redis::ProtocolVersion::default(),
                    }),
                };
                let master = sentinel::SentinelServerType::Master;
                let manager = sentinel::Manager::new(exposed(urls), service_name.clone(), Some(node), master)
                    .map_err(|e| unreadable(&e))?;
                let pool = sentinel::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Sentinel(pool.map_err(Error::internal)?))
            }
            Topology::Cluster { urls } => {
                let manager = cluster::Manager::new(exposed(urls), false).map_err(|e| unreadable(&e))?;
                let pool = cluster::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Cluster(pool.map_err(Error::internal)?))
            }
        }
    }

    /// Checks a connection out.
    pub(super) async fn open(&self) -> Result<Held> {
        match self {
            Self::Single(pool) => pool.get().await.map(Held::Single).map_err(Error::unavailable),
            Self::Sentinel(pool) => pool.get().await.map(Held::Sentinel).map_err(Error::unavailable),
            Self::Cluster(pool) => pool.get().await.map(Held::Cluster).map_err(Error::unavailable),
        }
    }
}

impl Held {
    pub(super) fn link(&self) -> Link {
        match self {
            Self::Single(connection) => Link::Node((**connection).clone()),
            Self::Sentinel(connection) => Link::Node((**connection).clone()),
            Self::Cluster(connection) => Link::Cluster((**connection).clone()),
        }
    }

    /// Takes a broken connection out of the pool, which would otherwise ping it before giving it out again.
    pub(super) fn discard(self) {
        match self {
            Self::Single(connection) => drop(deadpool_redis::Connection::take(connection)),
            Self::Sentinel(connection) => drop(sentinel::Connection::take(connection)),
            Self::Cluster(connection) => drop(cluster::Connection::take(connection)),
        }
    }
}

impl Link {
    pub(super) async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Node(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// The driver's words may quote the URL, and with it the password: only their kind is kept.
fn unreadable(error: &RedisError) -> Error {
    Error::internal(format!("the address of Redis cannot be read ({:?})", error.kind()))
}
