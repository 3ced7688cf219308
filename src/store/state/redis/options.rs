//! What a connection to Redis needs, and how long it may take.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use tokio::sync::watch;

use crate::ports::{
    outgoing_certificates::OutgoingCertificates, redis_topology::RedisTopology, store_observer::StoreObserver,
};

/// The limit on making one connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The limit on the connection to one node of a cluster: one that does not respond leaves time for the others.
pub(super) const NODE_CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// The limit on one command, including the wait for a connection and the loading of its script.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// The limit on the wait of Redis for the replicas that confirm a write, in milliseconds. A write may wait for the group
/// before its own.
pub(super) const WAIT_TIMEOUT_MS: u64 = 200;
/// The limit on a group of writes that replicas confirm.
pub(super) const CONFIRMATION_TIMEOUT: Duration = Duration::from_millis(300);

/// Everything that a connection to Redis needs.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    pub topology: RedisTopology,
    /// Of TLS connections; new ones use the last value.
    pub certificates: watch::Receiver<Arc<OutgoingCertificates>>,
    /// The authorities that are trusted where `certificates` have none, as PEM.
    pub authorities: Option<Vec<u8>>,
    /// Receives the duration of each command.
    pub observer: Option<Arc<dyn StoreObserver>>,
    /// The number of replicas that confirm a write which a failover must not take back; 0 for none.
    pub wait_replicas: u8,
    /// Put before every key, joined by `:`.
    pub key_prefix: Option<String>,
    /// Microseconds that are added to Redis' clock; 0 outside tests.
    pub clock_offset: Arc<AtomicI64>,
}

impl RedisOptions {
    /// Options without a key prefix, without an offset of the clock, and without confirmations of replicas.
    pub(crate) fn new(topology: RedisTopology) -> Self {
        Self {
            topology,
            certificates: watch::channel(Arc::default()).1,
            authorities: None,
            observer: None,
            wait_replicas: 0,
            key_prefix: None,
            clock_offset: Arc::default(),
        }
    }

    #[must_use]
    pub(crate) fn with_certificates(mut self, certificates: watch::Receiver<Arc<OutgoingCertificates>>) -> Self {
        self.certificates = certificates;
        self
    }

    #[must_use]
    pub(crate) fn with_authorities(mut self, authorities: Option<Vec<u8>>) -> Self {
        self.authorities = authorities;
        self
    }

    #[must_use]
    pub(crate) fn with_observer(mut self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        self.observer = observer;
        self
    }

    #[must_use]
    pub(crate) fn with_wait_replicas(mut self, replicas: u8) -> Self {
        self.wait_replicas = replicas;
        self
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
