//! `X-Forwarded-For` from a peer that is not a trusted proxy.

use crate::support::{Stores, TestServer, logs::Logs};

/// Sends requests with the header from an address of loopback.
async fn send(server: &TestServer, address: &str) {
    let client = reqwest::Client::builder().local_address(Some(address.parse().unwrap())).build().unwrap();
    for _ in 0..3 {
        let request = client.get(server.at("/openapi/v1/_version")).header("x-forwarded-for", "203.0.113.9");
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn untrusted_proxy_is_named_once_with_its_network() {
    let logs = Logs::capture();
    let server = TestServer::start(Stores::Sqlite).await;
    send(&server, "127.0.77.1").await;
    send(&server, "127.0.77.2").await;
    let warnings = logs.matching(&["WARN", "X-Forwarded-For", "127.0.77.", "TRUSTED_PROXIES"]);
    assert!(warnings.len() == 1 && warnings[0].contains("127.0.77.1/32"), "{warnings:?}");

    let trusting = TestServer::start_with(Stores::Sqlite, &[("TRUSTED_PROXIES", "127.0.78.0/24")]).await;
    send(&trusting, "127.0.78.1").await;
    assert_eq!(logs.matching(&["X-Forwarded-For", "127.0.78."]), [""; 0]);
}
