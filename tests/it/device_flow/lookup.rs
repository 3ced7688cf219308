//! `GET /openapi/v1/oauth/device/lookup`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Device, Stores, TestServer, redact, server::OWNER};

fn path(user_code: &str) -> String {
    format!("/openapi/v1/oauth/device/lookup?user_code={user_code}")
}

async fn look_up(browser: &Browser, user_code: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, &path(user_code))).await
}

fn without_seconds(mut body: Value) -> Value {
    let left = body["expires_in_remaining"].as_i64().unwrap();
    assert!((890..=900).contains(&left), "{left}");
    body["expires_in_remaining"] = json!("[seconds]");
    redact(body)
}

on_every_database!(
    anonymous_lookup_shows_only_that_the_code_is_valid,
    signed_in_lookup_shows_the_device,
    lookup_with_an_invalid_cookie_is_anonymous,
    unknown_decided_and_expired_codes_are_not_valid,
    lookup_shows_the_remaining_seconds,
    lookup_ignores_case_spaces_and_hyphens,
    malformed_codes_return_invalid_user_code
);

async fn anonymous_lookup_shows_only_that_the_code_is_valid(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let answer = look_up(&Browser::anonymous(&server), &device.user_code).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_wire!(without_seconds(answer.json()), @r#"
    {
      "client_id": "difyctl",
      "expires_in_remaining": "[seconds]",
      "valid": true
    }
    "#);
}

async fn signed_in_lookup_shows_the_device(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let answer = look_up(&Browser::signed_in(&server, OWNER).await, &device.user_code).await;
    assert_wire!(without_seconds(answer.json()), @r#"
    {
      "client_id": "difyctl",
      "created_at": "[time]",
      "created_ip": "127.0.0.1",
      "device_label": "laptop",
      "expires_in_remaining": "[seconds]",
      "valid": true
    }
    "#);
}

async fn lookup_with_an_invalid_cookie_is_anonymous(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let mut browser = Browser::signed_in(&server, OWNER).await;
    browser.cookies.insert("access_token".to_owned(), "not.a.jwt".to_owned());
    let answer = look_up(&browser, &device.user_code).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json().get("device_label"), None);
}

async fn unknown_decided_and_expired_codes_are_not_valid(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let (approved, denied) = (Device::start(&server, "a").await, Device::start(&server, "b").await);
    assert_eq!(browser.approve(&approved.user_code).await.0, 200);
    assert_eq!(browser.deny(&denied.user_code).await.0, 200);
    for code in ["3333-3333", approved.user_code.as_str(), &denied.user_code] {
        let answer = look_up(&browser, code).await;
        assert_eq!(answer.status, 200);
        assert_wire!(answer.json(), @r#"
        {
          "client_id": null,
          "expires_in_remaining": 0,
          "valid": false
        }
        "#);
    }
    let late = Device::start(&server, "c").await;
    server.advance(901);
    assert_eq!(look_up(&Browser::anonymous(&server), &late.user_code).await.json()["valid"], false);
}

async fn lookup_shows_the_remaining_seconds(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    server.advance(600);
    let left = look_up(&Browser::anonymous(&server), &device.user_code).await.json()["expires_in_remaining"].as_i64();
    assert!((295..=300).contains(&left.unwrap()), "{left:?}");
}

async fn lookup_ignores_case_spaces_and_hyphens(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "user_code=0")]).await;
    let device = Device::start(&server, "laptop").await;
    let plain = device.user_code.replace('-', "");
    let lower = device.user_code.to_lowercase();
    let spaced: String = plain.chars().flat_map(|symbol| [symbol, ' ']).collect();
    let padded = format!("  {} ", device.user_code);
    let anonymous = Browser::anonymous(&server);
    for typed in [&plain, &lower, &spaced, &padded, &format!("{}--{}", &plain[..2], &plain[2..])] {
        let answer = look_up(&anonymous, &typed.replace(' ', "%20")).await;
        assert_eq!((answer.status, answer.json()["valid"].as_bool()), (200, Some(true)), "{typed:?}");
    }
}

async fn malformed_codes_return_invalid_user_code(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "user_code=0")]).await;
    let anonymous = Browser::anonymous(&server);
    for typed in
        ["", "ABCD", "ABCD-EFGHJ", "ABCD-EFG0", "ABCD-EFGI", "ABCD_EFGH", "%C3%84BCD-EFGH", "ABCD%00EFGH", "2222-2222"]
    {
        let answer = look_up(&anonymous, typed).await;
        assert_eq!(answer.outcome(), (400, "invalid_user_code".to_owned()), "{typed:?}");
    }
    let twice = Answer::to(anonymous.bare(Method::GET, &path("ABCD-EFGH&user_code=ABCD-EFGH"))).await;
    assert_eq!(twice.outcome(), (422, "invalid_param".to_owned()));
}
