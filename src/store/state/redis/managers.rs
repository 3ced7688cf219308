//! Connects to masters behind sentinels and to clusters, with certificates. `deadpool-redis` has managers for both that
//! accept no certificates.

use deadpool::managed::{self, Metrics, RecycleResult};
use redis::{
    ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates, TlsMode,
    aio::MultiplexedConnection,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use tokio::sync::Mutex;

use crate::domain::secret::Secret;

/// Who this service is at the master.
pub(super) struct MasterSettings<'a> {
    pub(super) service_name: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a Secret>,
    pub(super) db: i64,
    pub(super) tls: bool,
}

/// Finds the master through sentinels, and connects to it.
pub(super) struct SentinelManager(Mutex<SentinelClient>);

impl SentinelManager {
    /// The URLs are those of sentinels, which have one user name and password.
    pub(super) fn new(
        urls: &[Secret],
        master: &MasterSettings<'_>,
        certificates: &TlsCertificates,
    ) -> Result<Self, RedisError> {
        let sentinels = urls.iter().map(|url| url.expose().into_connection_info()).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = sentinels.first() else {
            return Err((ErrorKind::InvalidClientConfig, "there is no sentinel").into());
        };
        let is_tls = matches!(first.addr(), ConnectionAddr::TcpTls { .. });
        let (username, password) = (first.redis_settings().username(), first.redis_settings().password());
        let (username, password) = (username.map(str::to_owned), password.map(str::to_owned));
        let addresses: Vec<_> = sentinels.iter().map(|sentinel| sentinel.addr().clone()).collect();
        let mut builder = SentinelClientBuilder::new(addresses, master.service_name, SentinelServerType::Master)?
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
        Ok(Self(Mutex::new(builder.build()?)))
    }
}

impl managed::Manager for SentinelManager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.0.lock().await.get_async_connection().await
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
        let builder = ClusterClientBuilder::new(nodes);
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
