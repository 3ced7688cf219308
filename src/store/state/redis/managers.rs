//! Connects to masters behind sentinels and to clusters, with certificates. `deadpool-redis` has managers for both that
//! accept no certificates.

use deadpool::managed::{self, Metrics, RecycleResult};
use redis::{
    AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates,
    TlsMode,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::Mutex;

use super::options::{COMMAND_TIMEOUT, CONNECT_TIMEOUT, NODE_CONNECT_TIMEOUT};
use crate::domain::secret::Secret;

/// Who this service is at the master.
pub(super) struct MasterSettings<'a> {
    pub(super) service_name: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a Secret>,
    pub(super) db: i64,
    pub(super) tls: bool,
}

/// Finds the master through sentinels, and connects to it. All sentinels are queried at once: the host of a master that is
/// lost often had a sentinel as well, and to wait for each that does not respond would take longer than a connection
/// may.
pub(super) struct SentinelManager(Vec<Mutex<SentinelClient>>);

impl SentinelManager {
    /// The URLs are those of sentinels, which have one user name and password.
    pub(super) fn new(
        urls: &[Secret],
        master: &MasterSettings<'_>,
        certificates: &TlsCertificates,
    ) -> Result<Self, RedisError> {
        let sentinels = urls.iter().map(|url| url.expose().into_connection_info()).collect::<Result<Vec<_>, _>>()?;
        if sentinels.is_empty() {
            return Err((ErrorKind::InvalidClientConfig, "there is no sentinel").into());
        }
        let clients = sentinels.iter().map(|sentinel| new_client(sentinel, master, certificates).map(Mutex::new));
        clients.collect::<Result<_, _>>().map(Self)
    }
}

/// A client of one sentinel.
fn new_client(
    sentinel: &ConnectionInfo,
    master: &MasterSettings<'_>,
    certificates: &TlsCertificates,
) -> Result<SentinelClient, RedisError> {
    let is_tls = matches!(sentinel.addr(), ConnectionAddr::TcpTls { .. });
    let (username, password) = (sentinel.redis_settings().username(), sentinel.redis_settings().password());
    let address = sentinel.addr().clone();
    let mut builder = SentinelClientBuilder::new([address], master.service_name, SentinelServerType::Master)?
        .set_client_to_redis_db(master.db);
    if is_tls {
        builder = builder.set_client_to_sentinel_certificates(certificates.clone());
    }
    if let Some(username) = username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    if master.tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(certificates.clone());
    }
    if let Some(username) = master.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = master.password {
        builder = builder.set_client_to_redis_password(password.expose());
    }
    builder.build()
}

impl managed::Manager for SentinelManager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT));
        let attempts = self.0.iter().map(|client| {
            let config = config.clone();
            Box::pin(async move { client.lock().await.get_async_connection_with_config(&config).await })
        });
        futures_util::future::select_ok(attempts).await.map(|(connection, _)| connection)
    }

    /// Never runs: connections do not return to the pool.
    async fn recycle(&self, _: &mut MultiplexedConnection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}

/// Connects to all nodes of a cluster.
pub(super) struct ClusterManager(ClusterClient);

impl ClusterManager {
    /// `certificates` are those of TLS connections; with them, the driver connects to every node with TLS.
    pub(super) fn new(urls: &[Secret], certificates: Option<TlsCertificates>) -> Result<Self, RedisError> {
        let nodes: Vec<_> = urls.iter().map(|url| url.expose().to_owned()).collect();
        let builder = ClusterClientBuilder::new(nodes)
            .connection_timeout(NODE_CONNECT_TIMEOUT)
            .response_timeout(COMMAND_TIMEOUT)
            // The driver would also repeat commands that may have been executed.
            .retries(0);
        certificates.into_iter().fold(builder, ClusterClientBuilder::certs).build().map(Self)
    }
}

impl managed::Manager for ClusterManager {
    type Type = ClusterConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<ClusterConnection, RedisError> {
        self.0.get_async_connection().await
    }

    /// Never runs: connections do not return to the pool.
    async fn recycle(&self, _: &mut ClusterConnection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}
