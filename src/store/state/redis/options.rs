//! Where Redis is, and how long it may take.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use crate::domain::secret::Secret;

/// The limit on making one connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The limit on one command, including the wait for a connection and the loading of its script.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// The servers of a Redis.
#[derive(Clone, Debug)]
pub(crate) enum RedisTopology {
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

/// Everything that a connection to Redis needs.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    pub topology: RedisTopology,
    /// Put before every key, joined by `:`.
    pub key_prefix: Option<String>,
    /// Microseconds that are added to Redis' clock; 0 outside tests.
    pub clock_offset: Arc<AtomicI64>,
}

impl RedisOptions {
    /// Options without a key prefix and without an offset of the clock.
    pub(crate) fn new(topology: RedisTopology) -> Self {
        Self { topology, key_prefix: None, clock_offset: Arc::default() }
    }

    #[must_use]
    pub(crate) fn with_key_prefix(mut self, prefix: Option<String>) -> Self {
        self.key_prefix = prefix;
        self
    }

    #[must_use]
    pub(crate) fn with_clock_offset(mut self, offset: Arc<AtomicI64>) -> Self {
        self.clock_offset = offset;
        self
    }
}
