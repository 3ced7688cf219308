use http::HeaderValue;

use super::*;

fn resolve(trusted: &str, peer: &str, forwarded: &[&str]) -> String {
    let nets = trusted.split(',').filter(|net| !net.is_empty()).map(|net| net.parse().unwrap()).collect();
    let mut headers = HeaderMap::new();
    for value in forwarded {
        headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    TrustedProxies::new(nets).resolve(peer.parse().unwrap(), &headers).to_string()
}

#[test]
fn client_is_the_right_most_untrusted_hop() {
    const NETS: &str = "10.0.0.0/8,fd00::/8";
    let table: &[(&str, &str, &[&str], &str)] = &[
        // The peer is not trusted.
        ("", "10.0.0.1", &["1.2.3.4"], "10.0.0.1"),
        (NETS, "9.9.9.9", &["1.2.3.4"], "9.9.9.9"),
        // The peer is trusted.
        (NETS, "10.0.0.1", &[], "10.0.0.1"),
        (NETS, "10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["6.6.6.6,1.2.3.4,10.0.0.3,10.0.0.2"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // Repeated headers form one list.
        (NETS, "10.0.0.1", &["6.6.6.6, 1.2.3.4", "10.0.0.2"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["1.2.3.4", "10.0.0.3, 10.0.0.2"], "1.2.3.4"),
        // A hop that is not an address ends the search.
        (NETS, "10.0.0.1", &["1.2.3.4, garbage"], "10.0.0.1"),
        (NETS, "10.0.0.1", &["1.2.3.4, garbage, 10.0.0.2"], "10.0.0.2"),
        (NETS, "10.0.0.1", &["1.2.3.4, , 10.0.0.2"], "10.0.0.2"),
        (NETS, "10.0.0.1", &[""], "10.0.0.1"),
        (NETS, "10.0.0.1", &["unknown"], "10.0.0.1"),
        (NETS, "10.0.0.1", &["1.2.3.4", "caf\u{e9}"], "10.0.0.1"),
        // Ports and brackets.
        (NETS, "10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
        (NETS, "10.0.0.1", &["[2001:db8::1]"], "2001:db8::1"),
        (NETS, "10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
        (NETS, "fd00::1", &["2001:db8::1, fd00::2"], "2001:db8::1"),
        // IPv4-mapped IPv6 addresses are IPv4, as a peer of a dual-stack socket and as a hop.
        (NETS, "::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
        (NETS, "10.0.0.1", &["::ffff:1.2.3.4, ::ffff:10.0.0.2"], "1.2.3.4"),
        ("", "::ffff:9.9.9.9", &[], "9.9.9.9"),
    ];
    for (trusted, peer, forwarded, client) in table {
        assert_eq!(resolve(trusted, peer, forwarded), *client, "peer {peer}, forwarded {forwarded:?}");
    }
}

#[test]
fn ipv6_addresses_of_one_64_network_share_a_bucket() {
    let bucket = |text: &str| ClientAddress(text.parse().unwrap()).bucket().clone();
    assert_eq!(bucket("1.2.3.4"), "1.2.3.4");
    assert_eq!(bucket("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::1"));
    assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
}
