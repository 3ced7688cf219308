//! Which addresses requests may go to.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

/// The host that an Azure machine runs on, and asks for its metadata.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForbiddenAddressError {
    /// The address.
    pub address: IpAddr,
}

impl fmt::Display for ForbiddenAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not which address: whoever gave a name would learn what it stands for inside.
        f.write_str("requests to this address are not allowed: it is not public")
    }
}

impl std::error::Error for ForbiddenAddressError {}

/// Public addresses, and those of the networks that are allowed. An IPv6 address that stands for an IPv4 address has to be public
/// as both; one that is merely written so (`::ffff:a.b.c.d`) is allowed as what it means.
pub(crate) fn permitted(address: IpAddr, allowed: &[IpNet]) -> Result<(), ForbiddenAddressError> {
    let address = address.to_canonical();
    let public = match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    };
    if public || allowed.iter().any(|network| network.contains(&address)) {
        Ok(())
    } else {
        Err(ForbiddenAddressError { address })
    }
}

/// What IANA's registry of special-purpose addresses calls globally reachable, and nothing that is for several hosts.
fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = match a {
        // This host and its network, private networks, loopback; multicast, reserved and broadcast.
        0 | 10 | 127 | 224..=255 => true,
        // Carrier-grade NAT.
        100 => matches!(b, 64..=127),
        // Link-local, where clouds keep their metadata.
        169 => b == 254,
        172 => matches!(b, 16..=31),
        // Protocol assignments (a cloud keeps metadata at 192.0.0.192), documentation, 6to4 relays, private networks.
        192 => b == 168 || matches!((b, c), (0, 0 | 2) | (88, 99)),
        // Benchmarks and documentation.
        198 => matches!(b, 18 | 19) || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !special && v4 != AZURE_HOST
}

/// Global unicast is all there is to reach, `2000::/3` without what was carved out of it, and IPv4 addresses through NAT64.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let [a, b, ..] = v6.segments();
    let public = match (a, b) {
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments; documentation.
        (0x2001, 0..=0x01ff | 0x0db8) | (0x3fff, 0..=0x0fff) => false,
        (0x64, 0xff9b) => v6.segments()[2..6] == [0; 4],
        _ => a & 0xe000 == 0x2000,
    };
    public && embedded(v6).is_none_or(is_public_v4)
}

/// The IPv4 address that a translator would reach through this one.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = v6.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        // NAT64, and ISATAP in any network.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [_, _, _, _, 0 | 0x0200, 0x5efe, ..] => Some(v4(s[6], s[7])),
        // 6to4.
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
