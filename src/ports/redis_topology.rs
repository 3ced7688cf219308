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
