//! Limits of password attempts: delays by account and address, totals by account and by address, known browsers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    server::{MEMBER, OWNER, PASSWORD},
};

const PROXY: [(&str, &str); 1] = [("TRUSTED_PROXIES", "127.0.0.1/32")];

/// A login that a trusted proxy forwards for an address, with the cookies of a browser.
async fn login_with(browser: &Browser, address: &str, email: &str, password: &str) -> Answer {
    let body = serde_json::json!({"email": email, "password": STANDARD.encode(password)});
    let request = browser.bare(Method::POST, "/console/api/login").header("x-forwarded-for", address);
    Answer::to(request.json(&body)).await
}

/// A login from a browser without cookies.
async fn login_from(server: &TestServer, address: &str, email: &str, password: &str) -> Answer {
    login_with(&Browser::anonymous(server), address, email, password).await
}

/// The seconds of `Retry-After` of a rejected login.
fn retry_after(answer: &Answer) -> i64 {
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()));
    answer.header("retry-after").parse().unwrap()
}

/// An address of its own for each number.
fn address(number: usize) -> String {
    format!("198.51.{}.{}", number / 250, number % 250 + 1)
}

on_every_database!(
    sixth_wrong_password_from_an_address_waits_longer_each_time,
    lockout_duration_is_the_longest_delay,
    delays_of_an_address_do_not_affect_other_addresses_and_accounts,
    fifty_failures_leave_only_known_browsers,
    known_browser_has_ten_attempts_of_its_own_per_hour,
    failures_limit_the_address_for_every_account,
    ipv6_addresses_are_limited_by_their_64_bit_network,
    unknown_accounts_are_limited_like_known_ones,
    correct_passwords_are_not_counted,
    concurrent_wrong_passwords_stay_within_the_limit,
    limits_of_logins_do_not_affect_existing_sessions
);

async fn sixth_wrong_password_from_an_address_waits_longer_each_time(stores: Stores) {
    let server = TestServer::start_with(stores, &PROXY).await;
    let logs = crate::support::logs::Logs::capture();
    // Random addresses, because all tests of the process share one log.
    let here = format!("10.{}.{}.{}", rand::random::<u8>(), rand::random::<u8>(), rand::random::<u8>());
    for attempt in 1..=5 {
        let answer = login_from(&server, &here, OWNER, "wrong").await;
        assert_eq!(answer.outcome(), (401, "authentication_failed".to_owned()), "{attempt}");
    }
    for delay in [60, 300, 900, 3_600, 3_600] {
        let wait = retry_after(&login_from(&server, &here, OWNER, PASSWORD).await);
        assert!((delay - 10..=delay).contains(&wait), "{wait} is not about {delay}");
        server.advance(delay);
        assert_eq!(login_from(&server, &here, OWNER, "wrong").await.status, 401, "after {delay} s");
    }
    assert_eq!(logs.matching(&["audit", "auth.login_locked", &here]).len(), 5);
    assert_eq!(logs.matching(&["audit", "auth.login_failed", &format!("client={here}")]).len(), 10);
    server.advance(3_600);
    assert_eq!(login_from(&server, &here, OWNER, PASSWORD).await.status, 200);
    for _ in 0..5 {
        assert_eq!(login_from(&server, &here, OWNER, "wrong").await.status, 401, "a success resets the delays");
    }
    assert!(retry_after(&login_from(&server, &here, OWNER, "wrong").await) <= 60);
}

async fn lockout_duration_is_the_longest_delay(stores: Stores) {
    let server =
        TestServer::start_with(stores, &[("TRUSTED_PROXIES", "127.0.0.1/32"), ("LOGIN_LOCKOUT_DURATION", "120")]).await;
    for _ in 0..5 {
        assert_eq!(login_from(&server, "10.0.0.1", OWNER, "wrong").await.status, 401);
    }
    for delay in [60, 120, 120] {
        let wait = retry_after(&login_from(&server, "10.0.0.1", OWNER, PASSWORD).await);
        assert!((delay - 10..=delay).contains(&wait), "{wait} is not about {delay}");
        server.advance(delay);
        assert_eq!(login_from(&server, "10.0.0.1", OWNER, "wrong").await.status, 401);
    }
}

async fn delays_of_an_address_do_not_affect_other_addresses_and_accounts(stores: Stores) {
    let server = TestServer::start_with(stores, &PROXY).await;
    for _ in 0..5 {
        assert_eq!(login_from(&server, "10.0.0.1", OWNER, "wrong").await.status, 401);
    }
    assert_eq!(login_from(&server, "10.0.0.1", OWNER, PASSWORD).await.status, 429);
    assert_eq!(login_from(&server, "10.0.0.1", MEMBER, PASSWORD).await.status, 200, "another account");
    assert_eq!(login_from(&server, "10.0.0.2", OWNER, PASSWORD).await.status, 200, "another address");
    assert_eq!(
        login_from(&server, "10.0.0.1", OWNER, PASSWORD).await.status,
        429,
        "only its own success resets a pair"
    );
}

async fn fifty_failures_leave_only_known_browsers(stores: Stores) {
    let server = TestServer::start_with(stores, &PROXY).await;
    let known = Browser::signed_in(&server, OWNER).await;
    let of_member = Browser::signed_in(&server, MEMBER).await;
    for attempt in 0..50 {
        assert_eq!(login_from(&server, &address(attempt), OWNER, "wrong").await.status, 401, "{attempt}");
    }
    let wait = retry_after(&login_from(&server, "10.0.0.1", OWNER, PASSWORD).await);
    assert!((1_600..=1_728).contains(&wait), "one attempt comes back every 24 h / 50: {wait}");
    assert_eq!(login_with(&of_member, "10.0.0.2", OWNER, PASSWORD).await.status, 429, "a browser of another account");
    let mut forged = known.clone();
    forged.cookies.insert("known_browser".to_owned(), format!("{}.{}", "A".repeat(22), "0".repeat(64)));
    assert_eq!(login_with(&forged, "10.0.0.3", OWNER, PASSWORD).await.status, 429, "a forged cookie");
    assert_eq!(login_with(&known, &address(0), OWNER, PASSWORD).await.status, 200);
    assert_eq!(login_from(&server, "10.0.0.4", MEMBER, PASSWORD).await.status, 200, "other accounts are not affected");
    server.advance(86_400);
    assert_eq!(login_from(&server, "10.0.0.1", OWNER, PASSWORD).await.status, 200);
}

async fn known_browser_has_ten_attempts_of_its_own_per_hour(stores: Stores) {
    let limits = ("OPENAPI_RATE_LIMITS", "login=0,login_address=3/1h,login_account=3/1h");
    let server = TestServer::start_with(stores, &[PROXY[0], limits]).await;
    let known = Browser::signed_in(&server, OWNER).await;
    for attempt in 0..3 {
        assert_eq!(login_from(&server, "10.0.0.1", OWNER, "wrong").await.status, 401, "{attempt}");
    }
    assert_eq!(login_from(&server, "10.0.0.1", OWNER, PASSWORD).await.status, 429);
    for attempt in 0..10 {
        assert_eq!(login_with(&known, "10.0.0.1", OWNER, "wrong").await.status, 401, "{attempt}");
    }
    let wait = retry_after(&login_with(&known, "10.0.0.2", OWNER, PASSWORD).await);
    assert!((350..=360).contains(&wait), "{wait}");
    server.advance(360);
    assert_eq!(login_with(&known, "10.0.0.2", OWNER, PASSWORD).await.status, 200);
}

async fn failures_limit_the_address_for_every_account(stores: Stores) {
    let server = TestServer::start_with(stores, &[PROXY[0], ("OPENAPI_RATE_LIMITS", "login_address=10/15m")]).await;
    for attempt in 0..10 {
        let email = format!("guess{attempt}@example.com");
        assert_eq!(login_from(&server, "10.0.0.1", &email, "wrong").await.status, 401, "{attempt}");
    }
    let wait = retry_after(&login_from(&server, "10.0.0.1", OWNER, PASSWORD).await);
    assert!((60..=90).contains(&wait), "one attempt comes back every 90 s: {wait}");
    assert_eq!(login_from(&server, "10.0.0.2", OWNER, PASSWORD).await.status, 200);
    server.advance(900);
    assert_eq!(login_from(&server, "10.0.0.1", OWNER, PASSWORD).await.status, 200);
}

async fn ipv6_addresses_are_limited_by_their_64_bit_network(stores: Stores) {
    let server = TestServer::start_with(stores, &PROXY).await;
    for attempt in 1..=5 {
        // Five hosts of one network.
        let address = format!("2001:db8:7:1:{attempt}::{attempt}");
        assert_eq!(login_from(&server, &address, OWNER, "wrong").await.status, 401, "{attempt}");
    }
    for address in ["2001:db8:7:1::99", "2001:0DB8:7:1:ffff:ffff:ffff:ffff", "[2001:db8:7:1::99]:443"] {
        let answer = login_from(&server, address, OWNER, PASSWORD).await;
        assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()), "{address}");
    }
    assert_eq!(login_from(&server, "2001:db8:7:2::1", OWNER, PASSWORD).await.status, 200, "the next network");
}

async fn unknown_accounts_are_limited_like_known_ones(stores: Stores) {
    let server = TestServer::start_with(stores, &PROXY).await;
    let mut outcomes = Vec::new();
    for email in [OWNER, "nobody@example.com"] {
        let mut statuses = Vec::new();
        for attempt in 0..7 {
            let answer = login_from(&server, "10.0.0.1", email, &format!("wrong {attempt}")).await;
            statuses.push((answer.status, answer.json()["message"].clone()));
        }
        outcomes.push(statuses);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0].iter().filter(|(status, _)| *status == 429).count(), 2);
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

async fn limits_of_logins_do_not_affect_existing_sessions(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let bearer = Bearer::sign_in_with(&server, &browser, "laptop").await;
    for _ in 0..5 {
        assert_eq!(Browser::anonymous(&server).login(OWNER, "wrong").await.status, 401);
    }
    assert_eq!(Browser::anonymous(&server).login(OWNER, PASSWORD).await.status, 429);
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
        assert_eq!(login_from(&server, &format!("198.51.100.{attempt}"), OWNER, "wrong").await.status, 401);
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
