//! What a connection to Redis needs, and how long it may take.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use crate::ports::{
    outgoing_certificates::OutgoingCertificates, redis_topology::RedisTopology, store_observer::StoreObserver,
};

/// The limit on making one connection.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The limit on one command, including the wait for a connection and the loading of its script.
pub(crate) const COMMAND_TIMEOUT: Duration = Duration::from_millis(500);

/// Everything that a connection to Redis needs.
#[derive(Clone, Debug)]
pub(crate) struct RedisOptions {
    pub topology: RedisTopology,
    /// Of TLS connections.
    pub certificates: OutgoingCertificates,
    /// Receives the duration of each command.
    pub observer: Option<Arc<dyn StoreObserver>>,
    /// Put before every key, joined by `:`.
    pub key_prefix: Option<String>,
    /// Microseconds that are added to Redis' clock; 0 outside tests.
    pub clock_offset: Arc<AtomicI64>,
}

impl RedisOptions {
    /// Options without a key prefix and without an offset of the clock.
    pub(crate) fn new(topology: RedisTopology) -> Self {
        Self {
            topology,
            certificates: OutgoingCertificates::default(),
            observer: None,
            key_prefix: None,
            clock_offset: Arc::default(),
        }
    }

    #[must_use]
    pub(crate) fn with_certificates(mut self, certificates: OutgoingCertificates) -> Self {
        self.certificates = certificates;
        self
    }

    #[must_use]
    pub(crate) fn with_observer(mut self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        self.observer = observer;
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
