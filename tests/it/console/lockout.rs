//! Wrong passwords lock an account and an address.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    server::{MEMBER, OWNER, PASSWORD},
};

const PROXY: [(&str, &str); 1] = [("TRUSTED_PROXIES", "127.0.0.1/32")];

/// A login that a trusted proxy forwards for an address.
async fn login_from(server: &TestServer, address: &str, email: &str, password: &str) -> Answer {
    let password = STANDARD.encode(password);
    let body = serde_json::json!({"email": email, "password": password});
    let request = reqwest::Client::new().post(server.at("/console/api/login")).header("x-forwarded-for", address);
    Answer::to(request.json(&body)).await
}

on_every_database!(
    five_wrong_passwords_lock_the_account_for_every_address,
    five_wrong_passwords_lock_the_address_for_every_account,
    ipv6_addresses_are_locked_by_their_64_bit_network,
    successful_login_resets_the_account_count_only,
    correct_passwords_are_not_counted,
    concurrent_wrong_passwords_stay_within_the_limit,
    lockout_does_not_affect_existing_sessions
);

async fn five_wrong_passwords_lock_the_account_for_every_address(stores: Stores) {
    let server =
        TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32"), ("LOGIN_LOCKOUT_DURATION", "600")]).await;
    let logs = crate::support::logs::Logs::capture();
    // Random addresses, because all tests of the process share one log.
    let network = format!("10.{}.{}", rand::random::<u8>(), rand::random::<u8>());
    let elsewhere = format!("{network}.77");
    for attempt in 1..=5 {
        let answer = login_from(&server, &format!("{network}.{attempt}"), OWNER, "wrong").await;
        assert_eq!(answer.outcome(), (401, "authentication_failed".to_owned()), "{attempt}");
    }
    let answer = login_from(&server, &elsewhere, OWNER, PASSWORD).await;
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()));
    let wait: i64 = answer.header("retry-after").parse().unwrap();
    assert!((590..=600).contains(&wait), "{wait}");
    assert_eq!(login_from(&server, &elsewhere, MEMBER, PASSWORD).await.status, 200);
    assert_eq!(logs.matching(&["audit", "auth.login_locked", &elsewhere]).len(), 1);
    assert_eq!(logs.matching(&["audit", "auth.login_failed", &format!("client={network}.5")]).len(), 1);
    server.advance(600);
    assert_eq!(login_from(&server, &elsewhere, OWNER, PASSWORD).await.status, 200);
}

async fn five_wrong_passwords_lock_the_address_for_every_account(stores: Stores) {
    let server = TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    for attempt in 1..=5 {
        let answer = login_from(&server, "198.51.100.1", &format!("guess{attempt}@example.com"), "wrong").await;
        assert_eq!(answer.status, 401, "{attempt}");
    }
    assert_eq!(login_from(&server, "198.51.100.1", OWNER, PASSWORD).await.status, 429);
    assert_eq!(login_from(&server, "198.51.100.2", OWNER, PASSWORD).await.status, 200);
}

async fn ipv6_addresses_are_locked_by_their_64_bit_network(stores: Stores) {
    let server = TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    for attempt in 1..=5 {
        // Five hosts of one network.
        let address = format!("2001:db8:7:1:{attempt}::{attempt}");
        let answer = login_from(&server, &address, &format!("guess{attempt}@example.com"), "wrong").await;
        assert_eq!(answer.status, 401, "{attempt}");
    }
    for address in ["2001:db8:7:1::99", "2001:0DB8:7:1:ffff:ffff:ffff:ffff", "[2001:db8:7:1::99]:443"] {
        let answer = login_from(&server, address, OWNER, PASSWORD).await;
        assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()), "{address}");
    }
    assert_eq!(login_from(&server, "2001:db8:7:2::1", OWNER, PASSWORD).await.status, 200, "the next network");
}

async fn successful_login_resets_the_account_count_only(stores: Stores) {
    let server = TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    for round in 0..2 {
        for attempt in 1..=4 {
            let address = format!("198.51.100.{}", round * 10 + attempt);
            assert_eq!(login_from(&server, &address, OWNER, "wrong").await.status, 401);
        }
        assert_eq!(login_from(&server, "198.51.100.99", OWNER, PASSWORD).await.status, 200, "{round}");
    }
    for _ in 0..4 {
        assert_eq!(login_from(&server, "203.0.113.1", MEMBER, "wrong").await.status, 401);
    }
    assert_eq!(login_from(&server, "203.0.113.1", MEMBER, PASSWORD).await.status, 200);
    assert_eq!(
        login_from(&server, "203.0.113.1", MEMBER, "wrong").await.status,
        401,
        "the fifth failure of the address"
    );
    assert_eq!(login_from(&server, "203.0.113.1", MEMBER, PASSWORD).await.status, 429);
}

async fn correct_passwords_are_not_counted(stores: Stores) {
    let server = TestServer::start(stores).await;
    for _ in 0..8 {
        assert_eq!(Browser::anonymous(&server).login(OWNER, PASSWORD).await.status, 200);
    }
}

async fn concurrent_wrong_passwords_stay_within_the_limit(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    let guesses = (0..16).map(|_| {
        let browser = anonymous.clone();
        tokio::spawn(async move { browser.login(OWNER, "wrong").await.status })
    });
    let mut statuses = Vec::new();
    for guess in guesses.collect::<Vec<_>>() {
        statuses.push(guess.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 11, "{statuses:?}");
}

async fn lockout_does_not_affect_existing_sessions(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    for _ in 0..5 {
        assert_eq!(browser.login(OWNER, "wrong").await.status, 401);
    }
    assert_eq!(browser.login(OWNER, PASSWORD).await.status, 429);
    assert!(browser.is_signed_in().await);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let device = Device::start(&server, "phone").await;
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    assert_eq!(device.poll().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_header_from_an_untrusted_peer_is_ignored() {
    let server = TestServer::start(Stores::Sqlite).await;
    for attempt in 1..=5 {
        assert_eq!(login_from(&server, &format!("198.51.100.{attempt}"), "x@example.com", "wrong").await.status, 401);
    }
    assert_eq!(login_from(&server, "198.51.100.9", OWNER, PASSWORD).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn approver_sees_the_address_of_the_device_behind_the_proxy() {
    let server = TestServer::start_with(Stores::Sqlite, &PROXY).await;
    let request = reqwest::Client::new().post(server.at("/openapi/v1/oauth/device/code"));
    let request = request
        .header("x-forwarded-for", "203.0.113.9, 198.51.100.7")
        .json(&serde_json::json!({"client_id": "difyctl"}));
    let user_code = Answer::to(request).await.json()["user_code"].as_str().unwrap().to_owned();
    let browser = Browser::signed_in(&server, OWNER).await;
    let found =
        Answer::to(browser.bare(Method::GET, &format!("/openapi/v1/oauth/device/lookup?user_code={user_code}"))).await;
    assert_eq!(found.json()["created_ip"], "198.51.100.7", "the right-most untrusted hop");
}
