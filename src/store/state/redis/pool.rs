//! The pool that makes connections, for each topology. Connections leave it for good: their tasks probe and replace
//! them.

use std::sync::Arc;

use deadpool::managed::{Manager, Object, Pool};
use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, FromRedisValue, Pipeline, RedisError, TlsCertificates, Value,
    aio::{ConnectionLike as _, MultiplexedConnection},
    cluster_async::ClusterConnection,
};
use tokio::sync::watch;

use super::{
    cluster::run_in_cluster,
    managers::{ClusterManager, MasterSettings, SentinelManager},
    options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT},
};
use crate::{
    domain::{Error, Result},
    ports::{outgoing_certificates::OutgoingCertificates, redis_topology::RedisTopology},
};

/// Multiplexed connections that commands share. Redis runs one command at a time, so more would not be faster.
pub(super) const SHARED_CONNECTIONS: usize = 4;
/// Those, and the one of confirmed writes.
const MAX_CONNECTIONS: usize = SHARED_CONNECTIONS + 1;

/// Makes connections with the certificates that were loaded last.
pub(super) struct ConnectionPool {
    topology: RedisTopology,
    /// Trusted where the certificates name no authorities, as PEM.
    authorities: Option<Vec<u8>>,
    current: Mutex<CurrentPool>,
}

struct CurrentPool {
    certificates: watch::Receiver<Arc<OutgoingCertificates>>,
    pool: Arc<TopologyPool>,
}

enum TopologyPool {
    Single(Pool<deadpool_redis::Manager>),
    Sentinel(Pool<SentinelManager>),
    Cluster(Pool<ClusterManager>),
}

/// A handle on a connection, cloned for each command.
#[derive(Clone)]
pub(super) enum ConnectionHandle {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionPool {
    /// Checks the URLs and the certificates. Connects nothing yet.
    pub(super) fn new(
        topology: RedisTopology,
        mut certificates: watch::Receiver<Arc<OutgoingCertificates>>,
        authorities: Option<Vec<u8>>,
    ) -> Result<Self> {
        let loaded = Arc::clone(&certificates.borrow_and_update());
        let pool = Arc::new(TopologyPool::new(&topology, tls_certificates(&loaded, authorities.as_ref()))?);
        Ok(Self { topology, authorities, current: Mutex::new(CurrentPool { certificates, pool }) })
    }

    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.topology, RedisTopology::Cluster { .. })
    }

    /// Makes a connection. The caller sets the time limit.
    pub(super) async fn connect(&self) -> Result<ConnectionHandle> {
        self.current()?.connect().await
    }

    fn current(&self) -> Result<Arc<TopologyPool>> {
        let mut current = self.current.lock();
        // An error means that nothing loads the files again.
        if current.certificates.has_changed().unwrap_or(false) {
            let loaded = Arc::clone(&current.certificates.borrow_and_update());
            let certificates = tls_certificates(&loaded, self.authorities.as_ref());
            current.pool = Arc::new(TopologyPool::new(&self.topology, certificates)?);
        }
        Ok(Arc::clone(&current.pool))
    }
}

impl TopologyPool {
    fn new(topology: &RedisTopology, certificates: TlsCertificates) -> Result<Self> {
        match topology {
            RedisTopology::Single { url } => {
                let connection = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(COMMAND_TIMEOUT));
                let client = if topology.uses_tls() {
                    Client::build_with_tls(url.expose(), certificates)
                } else {
                    Client::open(url.expose())
                };
                let manager = client
                    .and_then(|client| {
                        deadpool_redis::Manager::new_with_config(client.get_connection_info().clone(), connection)
                    })
                    .map_err(|error| invalid_address(&error))?;
                build(manager).map(Self::Single)
            }
            RedisTopology::Sentinel { urls, service_name, username, password, db, tls } => {
                let master = MasterSettings {
                    service_name,
                    username: username.as_deref(),
                    password: password.as_ref(),
                    db: *db,
                    tls: *tls,
                };
                let manager =
                    SentinelManager::new(urls, &master, &certificates).map_err(|error| invalid_address(&error))?;
                build(manager).map(Self::Sentinel)
            }
            RedisTopology::Cluster { urls } => {
                let manager = ClusterManager::new(urls, topology.uses_tls().then_some(certificates))
                    .map_err(|error| invalid_address(&error))?;
                build(manager).map(Self::Cluster)
            }
        }
    }

    async fn connect(&self) -> Result<ConnectionHandle> {
        match self {
            Self::Single(pool) => take(pool, ConnectionHandle::Node).await,
            Self::Sentinel(pool) => take(pool, ConnectionHandle::Node).await,
            Self::Cluster(pool) => take(pool, ConnectionHandle::Cluster).await,
        }
    }
}

fn build<M: Manager>(manager: M) -> Result<Pool<M>> {
    Pool::builder(manager).max_size(MAX_CONNECTIONS).build().map_err(Error::internal)
}

async fn take<M: Manager<Error = RedisError>>(
    pool: &Pool<M>,
    handle: impl Fn(M::Type) -> ConnectionHandle,
) -> Result<ConnectionHandle> {
    pool.get().await.map(|connection| handle(Object::take(connection))).map_err(Error::unavailable)
}

/// The certificates in the driver's type, with the authorities to trust where they name none.
fn tls_certificates(certificates: &OutgoingCertificates, authorities: Option<&Vec<u8>>) -> TlsCertificates {
    TlsCertificates {
        client_tls: certificates.client.as_ref().map(|client| ClientTlsConfig {
            client_cert: client.chain.clone(),
            client_key: client.key.expose().as_bytes().to_vec(),
        }),
        root_cert: certificates.authorities.as_ref().or(authorities).cloned(),
    }
}

impl ConnectionHandle {
    pub(super) async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, RedisError> {
        match self {
            Self::Node(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => run_in_cluster(connection, command).await,
        }
    }

    /// Runs commands one after the other over one connection to one server. In a cluster all keys are in one slot.
    pub(super) async fn run_all(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        match self {
            Self::Node(connection) => connection.req_packed_commands(commands, 0, commands.len()).await,
            Self::Cluster(connection) => connection.req_packed_commands(commands, 0, commands.len()).await,
        }
    }
}

/// The driver's message may quote the URL with its password, so only the kind of the error is kept.
fn invalid_address(error: &RedisError) -> Error {
    Error::internal(format!("the address of Redis cannot be read ({:?})", error.kind()))
}
