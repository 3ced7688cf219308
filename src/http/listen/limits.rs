//! The limits of open connections: of all, and of each network.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::options::ListenOptions;
use crate::http::{
    client_address::TrustedProxies,
    network_limit::{NetworkLimit, NetworkPermit},
};

pub(super) struct ConnectionLimits {
    all: Arc<Semaphore>,
    by_network: NetworkLimit,
    trusted_proxies: TrustedProxies,
    has_warned: AtomicBool,
}

/// Held by an open connection.
pub(super) struct ConnectionPermit {
    pub all: OwnedSemaphorePermit,
    /// `None` for trusted proxies.
    pub network: Option<NetworkPermit>,
}

#[derive(Debug)]
pub(super) struct TooManyConnectionsError;

impl ConnectionLimits {
    pub(super) fn new(options: &ListenOptions) -> Self {
        Self {
            all: Arc::new(Semaphore::new(options.max_connections)),
            by_network: NetworkLimit::new(options.max_connections_per_network),
            trusted_proxies: options.trusted_proxies.clone(),
            has_warned: AtomicBool::new(false),
        }
    }

    /// Waits until a connection is within the limit of all. `None` would mean that the semaphore is closed.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// `None` for a trusted proxy. Fails when the peer's network has too many connections.
    pub(super) fn try_acquire_for_network(
        &self,
        peer: SocketAddr,
    ) -> Result<Option<NetworkPermit>, TooManyConnectionsError> {
        if self.trusted_proxies.trusts(peer.ip()) {
            return Ok(None);
        }
        let permit = self.by_network.try_acquire(peer.ip());
        // Once, because an attacker could otherwise fill the log.
        if permit.is_none() && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                peer = %peer.ip(),
                "an address has too many connections; further ones are closed. If it is a proxy, add it to TRUSTED_PROXIES"
            );
        }
        permit.map(Some).ok_or(TooManyConnectionsError)
    }
}
