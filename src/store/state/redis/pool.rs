//! The pool that makes connections, for each topology.

use deadpool_redis::{PoolConfig, Runtime, Timeouts, cluster, sentinel};
use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisError, aio::MultiplexedConnection,
    cluster_async::ClusterConnection,
};

use super::options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT};
use crate::{
    domain::{Error, Result, secret::Secret},
    ports::redis_topology::RedisTopology,
};

/// Multiplexed connections that a process keeps. Redis runs one command at a time, so more would not be faster.
pub(super) const MAX_CONNECTIONS: usize = 4;

pub(super) enum ConnectionPool {
    Single(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

/// A connection that is checked out until it breaks.
pub(super) enum PooledConnection {
    Single(deadpool_redis::Connection),
    Sentinel(sentinel::Connection),
    Cluster(cluster::Connection),
}

/// A handle on a pooled connection, cloned for each command.
#[derive(Clone)]
pub(super) enum ConnectionHandle {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionPool {
    /// Checks the URLs. Connects nothing yet.
    pub(super) fn new(topology: &RedisTopology) -> Result<Self> {
        let timeouts =
            Timeouts { wait: Some(CONNECT_TIMEOUT), create: Some(CONNECT_TIMEOUT), recycle: Some(CONNECT_TIMEOUT) };
        let config = PoolConfig { max_size: MAX_CONNECTIONS, timeouts, ..PoolConfig::default() };
        let exposed = |urls: &[Secret]| urls.iter().map(|url| url.expose().to_owned()).collect::<Vec<_>>();
        match topology {
            RedisTopology::Single { url } => {
                let connection = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(COMMAND_TIMEOUT));
                let manager = deadpool_redis::Manager::new_with_config(url.expose(), connection)
                    .map_err(|error| invalid_address(&error))?;
                let pool = deadpool_redis::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Single(pool.map_err(Error::internal)?))
            }
            RedisTopology::Sentinel { urls, service_name, username, password, db, tls } => {
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
                    .map_err(|error| invalid_address(&error))?;
                let pool = sentinel::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Sentinel(pool.map_err(Error::internal)?))
            }
            RedisTopology::Cluster { urls } => {
                let manager = cluster::Manager::new(exposed(urls), false).map_err(|error| invalid_address(&error))?;
                let pool = cluster::Pool::builder(manager).config(config).runtime(Runtime::Tokio1).build();
                Ok(Self::Cluster(pool.map_err(Error::internal)?))
            }
        }
    }

    pub(super) async fn connect(&self) -> Result<PooledConnection> {
        match self {
            Self::Single(pool) => pool.get().await.map(PooledConnection::Single).map_err(Error::unavailable),
            Self::Sentinel(pool) => pool.get().await.map(PooledConnection::Sentinel).map_err(Error::unavailable),
            Self::Cluster(pool) => pool.get().await.map(PooledConnection::Cluster).map_err(Error::unavailable),
        }
    }
}

impl PooledConnection {
    pub(super) fn handle(&self) -> ConnectionHandle {
        match self {
            Self::Single(connection) => ConnectionHandle::Node((**connection).clone()),
            Self::Sentinel(connection) => ConnectionHandle::Node((**connection).clone()),
            Self::Cluster(connection) => ConnectionHandle::Cluster((**connection).clone()),
        }
    }

    /// Removes a broken connection from the pool. The pool would otherwise ping it before it hands it out again.
    pub(super) fn discard(self) {
        match self {
            Self::Single(connection) => drop(deadpool_redis::Connection::take(connection)),
            Self::Sentinel(connection) => drop(sentinel::Connection::take(connection)),
            Self::Cluster(connection) => drop(cluster::Connection::take(connection)),
        }
    }
}

impl ConnectionHandle {
    pub(super) async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Node(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }
}

/// The driver's message may quote the URL with its password, so only the kind of the error is kept.
fn invalid_address(error: &RedisError) -> Error {
    Error::internal(format!("the address of Redis cannot be read ({:?})", error.kind()))
}
