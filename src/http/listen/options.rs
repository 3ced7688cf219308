//! The options of a listener and their defaults.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;

use super::descriptors::DescriptorReserve;
use crate::{
    http::client_address::TrustedProxies,
    memory::{CountLimits, MemoryLedger},
};

/// Default limit of open connections of a listener. While the limit is reached, idle connections are closed, and new
/// ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 10_000;
/// Default of `header_timeout`.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Default of `max_age`. HTTP/2 clients keep connections open, so without a limit new replicas would get no load, and
/// replicas that shut down would keep theirs.
const MAX_AGE: Duration = Duration::from_mins(30);
/// Default of `stall_timeout`. Event streams send a ping every ten seconds.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Clone, Debug)]
pub struct ListenOptions {
    /// `None` serves plain text. A connection uses the configuration of its time.
    pub tls: Option<watch::Receiver<Arc<ServerConfig>>>,
    pub max_connections: usize,
    /// Limit of open connections of one IPv4 address or one IPv6 /64. Further ones are closed at once.
    pub max_connections_per_network: usize,
    /// Proxies whose connections carry the requests of many clients and are not limited by network.
    pub trusted_proxies: TrustedProxies,
    /// Limit of a TLS handshake, of the wait for the first request, and of reading a request's header; the idle time
    /// between HTTP/1.1 requests counts towards the last.
    pub header_timeout: Duration,
    /// Age at which a connection is closed gracefully, with a variation of one tenth.
    pub max_age: Duration,
    /// Time without progress after which a connection that has to close is cut, although responses are unread.
    pub stall_timeout: Duration,
    /// Counts the connections.
    pub memory: MemoryLedger,
    /// Descriptors that only this listener uses, when there are no others.
    pub(crate) reserve: Option<Arc<DescriptorReserve>>,
}

impl ListenOptions {
    /// The defaults, with as many connections as their memory allows.
    pub(crate) fn within(memory: &MemoryLedger) -> Self {
        let limits = CountLimits::within(memory);
        Self {
            max_connections: limits.connections,
            max_connections_per_network: limits.network_connections,
            memory: memory.clone(),
            ..Self::default()
        }
    }
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: MAX_CONNECTIONS,
            max_connections_per_network: MAX_CONNECTIONS,
            trusted_proxies: TrustedProxies::default(),
            header_timeout: HEADER_TIMEOUT,
            max_age: MAX_AGE,
            stall_timeout: STALL_TIMEOUT,
            memory: MemoryLedger::unlimited(),
            reserve: None,
        }
    }
}
