use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::check_address;

fn is_accepted(address: &str, allowed: &[&str]) -> bool {
    let allowed: Vec<_> = allowed.iter().map(|network| network.parse().unwrap()).collect();
    check_address(address.parse().unwrap(), &allowed).is_ok()
}

#[test]
fn public_addresses_are_accepted() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2a00:1450::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::1",
    ] {
        assert!(is_accepted(address, &[]), "{address}");
    }
}

#[test]
fn special_purpose_addresses_are_rejected() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.169.254",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:1::1",
        "2001:db8::1",
        "2001::1",
        "2001:0:808:808:0:0:80ff:fffe",
        "2001:2::1",
        "2001:10::1",
        "3fff::1",
        "100::1",
        "5f00::1",
        "4000::1",
        "2a00:1450::5efe:10.0.0.1",
        "2a00:1450:0:0:200:5efe:127.0.0.1",
    ] {
        assert!(!is_accepted(address, &[]), "{address}");
    }
}

#[test]
fn allowed_networks_are_accepted_in_every_notation() {
    assert!(is_accepted("127.0.0.1", &["127.0.0.0/8"]));
    assert!(is_accepted("::ffff:127.0.0.1", &["127.0.0.0/8"]));
    assert!(is_accepted("fd00::1", &["fd00::/8"]));
    assert!(!is_accepted("10.0.0.1", &["127.0.0.0/8", "fd00::/8"]));
    assert!(!is_accepted("::1", &["127.0.0.0/8"]));
}

proptest! {
    #[test]
    fn every_notation_of_an_address_has_the_same_result(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from(bits);
        let direct = check_address(IpAddr::V4(v4), &[]).is_ok();
        let [a, b, c, d] = v4.octets();
        let (high, low) = ((u16::from(a) << 8) | u16::from(b), (u16::from(c) << 8) | u16::from(d));
        for notation in [
            format!("::ffff:{v4}"), format!("64:ff9b::{high:x}:{low:x}"), format!("2002:{high:x}:{low:x}::1"),
        ] {
            prop_assert_eq!(is_accepted(&notation, &[]), direct, "{}", notation);
        }
        if !direct {
            let compatible = format!("::{v4}");
            prop_assert!(!is_accepted(&compatible, &[]));
        }
    }
}
