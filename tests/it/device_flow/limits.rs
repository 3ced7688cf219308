//! The rate limits of the device flow: by address, by account, and on wrong user codes.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Browser, Device, Stores, TestServer,
    server::{MEMBER, OWNER},
};

async fn look_up(browser: &Browser, user_code: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, &format!("/openapi/v1/oauth/device/lookup?user_code={user_code}"))).await
}

/// The seconds of `Retry-After`, which must equal `retry_after_ms` of the body, rounded up.
fn retry_after(answer: &Answer) -> i64 {
    assert_eq!(answer.outcome(), (429, "rate_limited".to_owned()), "{}", answer.text);
    let seconds: i64 = answer.header("retry-after").parse().unwrap();
    let milliseconds = answer.json()["retry_after_ms"].as_i64().unwrap();
    assert!(seconds >= 1 && (milliseconds + 999) / 1_000 == seconds, "{seconds} s, {milliseconds} ms");
    seconds
}

on_every_database!(
    device_codes_are_limited_to_sixty_per_hour_and_address,
    ipv6_addresses_share_a_limit_per_64_bit_network,
    polls_with_unknown_codes_are_limited_and_known_codes_are_not,
    polls_of_many_devices_behind_one_address_are_not_counted,
    lookup_is_limited_by_address,
    ten_wrong_codes_limit_every_route_that_takes_a_code,
    correct_code_neither_counts_nor_resets_the_count,
    decisions_are_limited_to_ten_per_hour_and_account,
    approval_limit_per_hour_is_configurable
);

async fn device_codes_are_limited_to_sixty_per_hour_and_address(stores: Stores) {
    let server = TestServer::start(stores).await;
    for _ in 0..60 {
        assert_eq!(Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.status, 200);
    }
    let answer = Device::request_codes(&server, &json!({"client_id": "difyctl"})).await;
    let wait = retry_after(&answer);
    assert!((50..=60).contains(&wait), "{wait}");
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    // One request becomes available every minute, not all of them after an hour.
    server.advance(60);
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.status, 200);
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.status, 429);
    server.advance(3_600);
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.status, 200);
}

async fn ipv6_addresses_share_a_limit_per_64_bit_network(stores: Stores) {
    let server = TestServer::start_with(
        stores,
        &[("TRUSTED_PROXIES", "127.0.0.1/32"), ("OPENAPI_RATE_LIMITS", "device_code=2/1h")],
    )
    .await;
    let ask = async |address: &str| {
        let request = reqwest::Client::new().post(server.at("/openapi/v1/oauth/device/code"));
        Answer::to(request.header("x-forwarded-for", address).json(&json!({"client_id": "difyctl"}))).await
    };
    assert_eq!(ask("2001:db8:0:1::1").await.status, 200);
    assert_eq!(ask("2001:db8:0:1:a:b:c:d").await.status, 200);
    retry_after(&ask("2001:db8:0:1::2").await);
    assert_eq!(ask("2001:db8:0:2::1").await.status, 200, "the next network");
    // An IPv4-mapped address counts as the IPv4 address, not as its IPv6 network.
    assert_eq!(ask("192.0.2.1").await.status, 200);
    assert_eq!(ask("::ffff:192.0.2.1").await.status, 200);
    retry_after(&ask("192.0.2.1").await);
    assert_eq!(ask("::ffff:192.0.2.2").await.status, 200);
}

async fn polls_with_unknown_codes_are_limited_and_known_codes_are_not(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "device_token=5/1m")]).await;
    let device = Device::start(&server, "laptop").await;
    let unknown = json!({"client_id": "difyctl", "device_code": "dc_0123456789abcdefghijklmnopqrstuv"});
    for _ in 0..5 {
        assert_eq!(Device::poll_with(&server, &unknown).await.json()["error"], "expired_token");
    }
    let answer = Device::poll_with(&server, &unknown).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("slow_down")));
    assert!(answer.json()["interval"].as_i64().is_some_and(|interval| interval >= 5));
    assert_eq!(device.poll_error().await, "authorization_pending");
    server.advance(60);
    assert_eq!(Device::poll_with(&server, &unknown).await.json()["error"], "expired_token");
}

/// Behind one NAT, polls of known codes neither count against the address nor stop when its limit is reached.
async fn polls_of_many_devices_behind_one_address_are_not_counted(stores: Stores) {
    let limits = ("OPENAPI_RATE_LIMITS", "device_code=0,device_token=5/1m");
    let server = TestServer::start_with(stores, &[limits]).await;
    let mut devices = Vec::new();
    for number in 0..40 {
        devices.push(Device::start(&server, &format!("laptop {number}")).await);
    }
    for _ in 0..2 {
        for device in &devices {
            assert_eq!(device.poll_error().await, "authorization_pending");
        }
        server.advance(6);
    }
    let unknown = json!({"client_id": "difyctl", "device_code": "dc_0123456789abcdefghijklmnopqrstuv"});
    for _ in 0..5 {
        assert_eq!(Device::poll_with(&server, &unknown).await.json()["error"], "expired_token");
    }
    assert_eq!(Device::poll_with(&server, &unknown).await.json()["error"], "slow_down");
    for device in &devices {
        assert_eq!(device.poll_error().await, "authorization_pending");
    }
    let metrics = reqwest::get(server.admin("/metrics")).await.unwrap().text().await.unwrap();
    for (series, expected) in [
        ("openapi_device_sign_ins_total{", "step=\"issued\"", 40),
        ("openapi_device_sign_ins_total{", "step=\"expired\"", 5),
        ("openapi_device_polls_total{", "outcome=\"authorization_pending\"", 120),
        ("openapi_device_polls_total{", "outcome=\"slow_down\"", 1),
    ]
    .map(|(name, label, count)| ([name, label], count))
    {
        let line = metrics.lines().find(|line| series.iter().all(|part| line.contains(part)));
        assert!(line.is_some_and(|line| line.ends_with(&format!(" {expected}"))), "{series:?}: {line:?}");
    }
}

async fn lookup_is_limited_by_address(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "lookup=3/5m,user_code=0")]).await;
    let anonymous = Browser::anonymous(&server);
    for _ in 0..3 {
        assert_eq!(look_up(&anonymous, "3333-3333").await.status, 200);
    }
    let wait = retry_after(&look_up(&anonymous, "3333-3333").await);
    assert!((90..=100).contains(&wait), "{wait}");
}

async fn ten_wrong_codes_limit_every_route_that_takes_a_code(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let anonymous = Browser::anonymous(&server);
    for attempt in 0..10 {
        // A malformed code counts as a wrong one.
        let (code, status) = if attempt % 2 == 0 { ("3333-3333", 200) } else { ("nonsense", 400) };
        assert_eq!(look_up(&anonymous, code).await.status, status);
    }
    retry_after(&look_up(&anonymous, "3333-3333").await);
    retry_after(&look_up(&anonymous, "nonsense").await);
    retry_after(&look_up(&anonymous, &device.user_code).await);
    let browser = Browser::signed_in(&server, OWNER).await;
    for path in ["/openapi/v1/oauth/device/approve", "/openapi/v1/oauth/device/deny"] {
        retry_after(
            &Answer::to(browser.request(Method::POST, path).json(&json!({"user_code": device.user_code}))).await,
        );
    }
    server.advance(91);
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
}

async fn correct_code_neither_counts_nor_resets_the_count(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let anonymous = Browser::anonymous(&server);
    for _ in 0..9 {
        assert_eq!(look_up(&anonymous, "3333-3333").await.status, 200);
        assert_eq!(look_up(&anonymous, &device.user_code).await.json()["valid"], true);
    }
    for _ in 0..5 {
        assert_eq!(look_up(&anonymous, &device.user_code).await.json()["valid"], true);
    }
    assert_eq!(look_up(&anonymous, "3333-3333").await.status, 200);
    retry_after(&look_up(&anonymous, &device.user_code).await);
}

async fn decisions_are_limited_to_ten_per_hour_and_account(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (owner, member) = (Browser::signed_in(&server, OWNER).await, Browser::signed_in(&server, MEMBER).await);
    for round in 0..10 {
        let device = Device::start(&server, "laptop").await;
        let (status, _) =
            if round % 2 == 0 { owner.approve(&device.user_code).await } else { owner.deny(&device.user_code).await };
        assert_eq!(status, 200);
    }
    let device = Device::start(&server, "laptop").await;
    let request = owner.request(Method::POST, "/openapi/v1/oauth/device/approve");
    let wait = retry_after(&Answer::to(request.json(&json!({"user_code": device.user_code}))).await);
    assert!((300..=360).contains(&wait), "{wait}");
    assert_eq!(member.approve(&device.user_code).await.0, 200);
}

async fn approval_limit_per_hour_is_configurable(stores: Stores) {
    let server = TestServer::start_with(stores, &[("DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR", "1")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let (first, second) = (Device::start(&server, "a").await, Device::start(&server, "b").await);
    assert_eq!(browser.approve(&first.user_code).await.0, 200);
    assert_eq!(browser.approve(&second.user_code).await.0, 429);
}
