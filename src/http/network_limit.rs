//! Limits what the clients of one network hold at the same time: an IPv4 address, or an IPv6 network of 64 bits.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use parking_lot::Mutex;

use crate::domain::caller::ClientAddress;

/// Counts permits by network. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct NetworkLimit(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    max: usize,
    /// Only networks that hold permits, so that the map is not larger than the number of permits.
    held: Mutex<HashMap<IpAddr, usize>>,
}

impl NetworkLimit {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Counts { max, held: Mutex::default() }))
    }

    /// `None` when the network of the address holds all of its permits.
    pub(crate) fn try_acquire(&self, address: IpAddr) -> Option<NetworkPermit> {
        let network = ClientAddress(address.to_canonical()).network();
        let mut held = self.0.held.lock();
        let count = held.entry(network).or_default();
        if *count >= self.0.max {
            return None;
        }
        *count += 1;
        Some(NetworkPermit { counts: Arc::clone(&self.0), network })
    }
}

/// Released when dropped.
#[derive(Debug)]
pub(crate) struct NetworkPermit {
    counts: Arc<Counts>,
    network: IpAddr,
}

impl Drop for NetworkPermit {
    fn drop(&mut self) {
        let mut held = self.counts.held.lock();
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_permits_of_their_own_until_they_are_dropped() {
        let limit = NetworkLimit::new(2);
        let acquire = |address: &str| limit.try_acquire(address.parse().unwrap());
        let first = acquire("192.0.2.1").unwrap();
        let _second = acquire("::ffff:192.0.2.1").unwrap();
        assert!(acquire("192.0.2.1").is_none());
        let _other = acquire("192.0.2.2").unwrap();
        drop(first);
        let _third = acquire("192.0.2.1").unwrap();
        assert!(acquire("192.0.2.1").is_none());

        let _six = [acquire("2001:db8:1:2::1").unwrap(), acquire("2001:db8:1:2:ffff::1").unwrap()];
        assert!(acquire("2001:db8:1:2::9").is_none());
        assert!(acquire("2001:db8:1:3::1").is_some());
    }

    #[test]
    fn networks_without_permits_use_no_memory() {
        let limit = NetworkLimit::new(1);
        drop(limit.try_acquire("192.0.2.1".parse().unwrap()));
        assert!(limit.0.held.lock().is_empty());
        drop(limit.try_acquire("192.0.2.1".parse().unwrap()).unwrap());
    }
}
