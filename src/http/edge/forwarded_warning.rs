//! Warns once about a proxy that is not trusted: all of its clients then share the limits of one address.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
};

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::http::client_address::{FORWARDED_FOR, TrustedProxies};

/// Whether the process has warned.
#[derive(Debug, Default)]
pub(crate) struct ForwardedWarning(AtomicBool);

impl ForwardedWarning {
    /// Warns about the first request with `X-Forwarded-For` from a peer that is not trusted. Once, because strangers
    /// could otherwise fill the log.
    pub(super) fn check(&self, peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) {
        if !headers.contains_key(FORWARDED_FOR) || self.0.load(Ordering::Relaxed) || proxies.trusts(peer) {
            return;
        }
        if !self.0.swap(true, Ordering::Relaxed) {
            let (peer, network) = (peer.to_canonical(), proxy_network(peer.to_canonical()));
            tracing::warn!(
                %peer,
                "a request has X-Forwarded-For from an address that is not trusted, so it counts as one of that address; \
                 if {peer} is your proxy, add its network to TRUSTED_PROXIES, such as {network}"
            );
        }
    }
}

/// The network that a proxy is probably in: addresses of pods and containers change within their private network. A
/// public address stands for itself.
fn proxy_network(address: IpAddr) -> IpNet {
    match address {
        IpAddr::V4(v4) if v4.is_private() => {
            let prefix = if v4.octets()[0] == 192 { 24 } else { 16 };
            Ipv4Net::new_assert(v4, prefix).trunc().into()
        }
        IpAddr::V6(v6) if v6.is_unique_local() => Ipv6Net::new_assert(v6, 64).trunc().into(),
        _ => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_proposed_and_public_addresses_stand_for_themselves() {
        for (address, network) in [
            ("10.244.3.7", "10.244.0.0/16"),
            ("172.18.0.1", "172.18.0.0/16"),
            ("192.168.65.1", "192.168.65.0/24"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("127.0.0.1", "127.0.0.1/32"),
            ("fd00:1:2:3::9", "fd00:1:2:3::/64"),
            ("2001:db8::9", "2001:db8::9/128"),
        ] {
            assert_eq!(proxy_network(address.parse().unwrap()).to_string(), network);
        }
    }
}
