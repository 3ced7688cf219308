//! The addresses that requests may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The host of an Azure virtual machine, which serves its metadata.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// The host has no address that is public or in an allowed network.
///
/// It is one error for addresses that are not allowed and for names that do not resolve: a difference would disclose
/// which names exist inside this network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host does not exist, or requests to it are not allowed because it is not public")]
pub(crate) struct UnreachableHostError;

/// Accepts public addresses and those of the `allowed` networks. An IPv6 address that embeds an IPv4 address must be
/// public as both. An IPv4-mapped address (`::ffff:a.b.c.d`) is checked as the IPv4 address.
pub(super) fn check_address(address: IpAddr, allowed: &[IpNet]) -> Result<(), UnreachableHostError> {
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    };
    if public || allowed.iter().any(|network| network.contains(&address)) { Ok(()) } else { Err(UnreachableHostError) }
}

/// Whether IANA's IPv4 special-purpose address registry lists the address as globally reachable. Multicast and
/// broadcast addresses are not public.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = match a {
        // This host on this network, private use, loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        // Carrier-grade NAT.
        100 => matches!(b, 64..=127),
        // Link-local: the metadata services of most clouds.
        169 => b == 254,
        172 => matches!(b, 16..=31),
        // Protocol assignments (192.0.0.192 is a cloud's metadata service), documentation, 6to4 relays, private use.
        192 => b == 168 || matches!((b, c), (0, 0 | 2) | (88, 99)),
        // Benchmarking and documentation.
        198 => matches!(b, 18 | 19) || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !special && v4 != AZURE_HOST
}

/// Whether the address is global unicast (`2000::/3`, without its special-purpose blocks) or a public IPv4 address
/// behind NAT64.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    let public = match (a, b) {
        // Teredo, benchmarking, ORCHID and the other protocol assignments; documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        (0x64, 0xff9b) => v6.segments()[2..6] == [0; 4],
        _ => a & 0xe000 == 0x2000,
    };
    public && embedded(v6).is_none_or(is_public_v4)
}

/// The IPv4 address that a translator reaches through this address.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        // NAT64, and ISATAP under any prefix.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [_, _, _, _, 0 | 0x0200, 0x5efe, ..] => Some(v4(s[6], s[7])),
        // 6to4.
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
