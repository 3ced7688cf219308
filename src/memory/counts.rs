//! Limits of numbers that follow from the memory: connections of a listener, and what one network may have under way
//! before it is authenticated.

use super::{kind::MemoryKind, ledger::MemoryLedger};

/// Memory of a connection: its buffers, and what its peer may send before anything is read.
pub(crate) const CONNECTION_BYTES: usize = 64 << 10;
/// What a request takes besides its headers: its tasks, its span, the head of its answer.
pub(crate) const REQUEST_BYTES: usize = 8 << 10;
/// Connections of a listener, however much memory there is.
const MAX_CONNECTIONS: usize = 10_000;
/// Connections of a listener, and requests of a network, however little memory there is.
const MIN_CONNECTIONS: usize = 64;
const MIN_REQUESTS: usize = 128;
/// One network may have this part of all connections and of all requests.
const NETWORK_SHARE: usize = 4;
/// One of so many requests of a network may wait for its body.
const BODY_SHARE: usize = 2;

/// A network is an IPv4 address or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CountLimits {
    /// Open connections of a listener.
    pub connections: usize,
    /// Open connections of one network.
    pub network_connections: usize,
    /// Requests of one network that are not authenticated. Each is a stream of HTTP/2.
    pub network_requests: usize,
    /// Those of them whose body has not arrived.
    pub network_bodies: usize,
}

impl CountLimits {
    /// Half of the memory of connections is theirs, the other half that of their requests.
    pub(crate) fn within(memory: &MemoryLedger) -> Self {
        let half = memory.limit(MemoryKind::Connections) / 2;
        let connections = (half / CONNECTION_BYTES).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS);
        let network_requests = (half / REQUEST_BYTES / NETWORK_SHARE).max(MIN_REQUESTS);
        Self {
            connections,
            network_connections: connections / NETWORK_SHARE,
            network_requests,
            network_bodies: network_requests / BODY_SHARE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_scale_with_the_memory_between_bounds() {
        for (mib, expected) in [
            (16, [64, 16, 128, 64]),
            (128, [204, 51, 409, 204]),
            (512, [819, 204, 1_638, 819]),
            (1_024, [1_638, 409, 3_276, 1_638]),
            (65_536, [10_000, 2_500, 209_715, 104_857]),
        ] {
            let limits = CountLimits::within(&MemoryLedger::new(mib << 20));
            let found =
                [limits.connections, limits.network_connections, limits.network_requests, limits.network_bodies];
            assert_eq!(found, expected, "{mib} MiB");
        }
    }
}
