//! The servers of a Redis, as the configuration names them and the state stores connect to them.

use crate::domain::secret::Secret;

/// The servers of a Redis. URLs contain credentials.
#[derive(Clone, Debug)]
pub enum RedisTopology {
    Single {
        /// `redis://` or `rediss://`, with credentials and database number.
        url: Secret,
    },
    /// The master that sentinels agree on.
    Sentinel {
        /// The sentinels, with their own credentials.
        urls: Vec<Secret>,
        /// The sentinels' name for the master.
        service_name: String,
        /// User name, password, database number and TLS are those of the master.
        username: Option<String>,
        password: Option<Secret>,
        db: i64,
        tls: bool,
    },
    Cluster {
        /// The nodes to connect to first, with credentials.
        urls: Vec<Secret>,
    },
}

impl RedisTopology {
    /// Whether connections to Redis or to its sentinels use TLS.
    pub fn uses_tls(&self) -> bool {
        let is_tls = |url: &Secret| url.expose().starts_with("rediss:");
        match self {
            Self::Single { url } => is_tls(url),
            Self::Sentinel { urls, tls, .. } => *tls || urls.iter().any(is_tls),
            Self::Cluster { urls } => urls.iter().any(is_tls),
        }
    }
}
