//! What the clients of one network may have under way before they are authenticated: requests, which are the streams of
//! HTTP/2, and bodies that have not arrived. The memory ledger limits their bytes; these are limits of their number.

use std::sync::Arc;

use http::Extensions;
use parking_lot::Mutex;

use super::{
    memory_owner::is_authenticated,
    network_limit::{NetworkLimit, NetworkPermit},
};
use crate::{
    domain::{Result, caller::ClientAddress},
    memory::{CountLimits, MemoryError, MemoryKind, MemoryLedger},
};

/// Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct AnonymousLimits {
    requests: NetworkLimit,
    bodies: NetworkLimit,
}

/// The place of a request among those of its network, as an extension. Clones share it. It is free once the caller is
/// known, because accounts have shares of their own, and else when the answer is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnonymousRequest(Option<Arc<Place>>);

#[derive(Debug)]
struct Place {
    address: ClientAddress,
    bodies: NetworkLimit,
    request: Mutex<Option<NetworkPermit>>,
}

impl AnonymousLimits {
    /// The limits for this much memory.
    pub(crate) fn within(memory: &MemoryLedger) -> Self {
        let limits = CountLimits::within(memory);
        Self { requests: NetworkLimit::new(limits.network_requests), bodies: NetworkLimit::new(limits.network_bodies) }
    }

    /// Takes a place for a request. Without an address there is no limit.
    pub(super) fn begin(&self, address: Option<ClientAddress>) -> Result<AnonymousRequest, MemoryError> {
        let Some(address) = address else { return Ok(AnonymousRequest::default()) };
        let request = self.requests.try_acquire(address.0);
        let request = request.ok_or(MemoryError::OwnerExhausted(MemoryKind::Connections))?;
        let place = Place { address, bodies: self.bodies.clone(), request: Mutex::new(Some(request)) };
        Ok(AnonymousRequest(Some(Arc::new(place))))
    }
}

impl AnonymousRequest {
    /// Takes a place for the body of a request with these extensions, before it is read. A request with a known caller
    /// needs none, and gives up its own.
    pub(super) fn body_of(extensions: &Extensions) -> Result<Option<NetworkPermit>> {
        let Some(Self(Some(place))) = extensions.get() else { return Ok(None) };
        if is_authenticated(extensions) {
            *place.request.lock() = None;
            return Ok(None);
        }
        let body = place.bodies.try_acquire(place.address.0);
        Ok(Some(body.ok_or(MemoryError::OwnerExhausted(MemoryKind::Bodies))?))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::domain::Code;

    const OWN: ClientAddress = ClientAddress(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const OTHER: ClientAddress = ClientAddress(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn take_all(limits: &AnonymousLimits, address: ClientAddress) -> Vec<AnonymousRequest> {
        std::iter::from_fn(|| limits.begin(Some(address)).ok()).collect()
    }

    #[test]
    fn requests_and_bodies_of_a_network_leave_places_to_others() {
        let limits = AnonymousLimits::within(&MemoryLedger::new(1 << 20));
        let requests = take_all(&limits, OWN);
        assert_eq!(limits.begin(Some(OWN)).err(), Some(MemoryError::OwnerExhausted(MemoryKind::Connections)));
        assert!(limits.begin(Some(OTHER)).is_ok() && limits.begin(None).is_ok());

        let body = |request: &AnonymousRequest| {
            let mut extensions = Extensions::new();
            extensions.insert(request.clone());
            AnonymousRequest::body_of(&extensions)
        };
        let bodies: Vec<_> = requests.iter().map_while(|request| body(request).ok()).collect();
        assert_eq!(bodies.len(), requests.len() / 2);
        assert_eq!(body(&requests[0]).err().map(|error| error.code()), Some(Code::RateLimited));
        assert!(body(&limits.begin(Some(OTHER)).unwrap()).is_ok());
        drop(bodies);
        assert!(body(&requests[0]).is_ok());
        drop(requests);
        assert!(limits.begin(Some(OWN)).is_ok());
    }
}
