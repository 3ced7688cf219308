//! `POST /openapi/v1/oauth/device/approve` and `/deny`.

use dify_openapi::testing::domain::AccountStatus;
use dify_openapi::testing::ports::Clock as _;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer, database,
    server::{MEMBER, OWNER, SECRET_KEY},
};

const APPROVE: &str = "/openapi/v1/oauth/device/approve";
const DENY: &str = "/openapi/v1/oauth/device/deny";

async fn set_status(server: &TestServer, email: &str, status: AccountStatus) {
    server.sql().set_account_status(email, status, server.clock.now()).await.unwrap();
}

fn signed(claims: &serde_json::Value, key: &str) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).unwrap()
}

on_every_database!(
    approved_device_receives_a_token,
    denied_device_receives_no_token,
    second_decision_returns_already_resolved,
    unknown_or_malformed_user_code_is_rejected,
    typed_user_code_is_normalized_before_approval,
    decisions_require_a_session_a_csrf_token_and_the_own_origin,
    only_valid_console_jwts_open_a_session,
    disabled_account_cannot_approve_or_redeem,
    decisions_return_503_while_bearers_are_disabled,
    session_revoked_before_the_first_poll_returns_access_denied
);

async fn approved_device_receives_a_token(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let request = browser.request(Method::POST, APPROVE).json(&json!({"user_code": device.user_code}));
    let answer = Answer::to(request).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_wire!(answer.json(), @r#"
    {
      "status": "approved"
    }
    "#);
    assert_eq!(device.poll().await.0, 200);
}

async fn denied_device_receives_no_token(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let (status, body) = Browser::signed_in(&server, OWNER).await.deny(&device.user_code).await;
    assert_eq!((status, body), (200, json!({"status": "denied"})));
    assert_eq!(database::count(&server, "oauth_access_tokens").await, 0);
}

async fn second_decision_returns_already_resolved(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for (first, second) in [(APPROVE, APPROVE), (APPROVE, DENY), (DENY, APPROVE), (DENY, DENY)] {
        let device = Device::start(&server, "laptop").await;
        let body = json!({"user_code": device.user_code});
        assert_eq!(browser.post(first, &body).await.0, 200);
        let (status, answer) = browser.post(second, &body).await;
        assert_eq!((status, answer["code"].as_str()), (409, Some("already_resolved")), "{first} {second}");
    }
}

async fn unknown_or_malformed_user_code_is_rejected(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for path in [APPROVE, DENY] {
        let (status, body) = browser.post(path, &json!({"user_code": "3333-3333"})).await;
        assert_eq!(status, 404);
        assert_wire!(body, @r#"
        {
          "code": "not_found",
          "error": "not_found",
          "hint": "Sign in again for a new code.",
          "message": "This code is no longer valid.",
          "status": 404
        }
        "#);
        let (status, body) = browser.post(path, &json!({"user_code": "not a code"})).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("invalid_user_code")));
        let (status, body) = browser.post(path, &json!({})).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("invalid_request")), "the member is missing");
    }
}

async fn typed_user_code_is_normalized_before_approval(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let typed = format!(" {} ", device.user_code.to_lowercase().replace('-', " "));
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&typed).await.0, 200);
}

async fn decisions_require_a_session_a_csrf_token_and_the_own_origin(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let mut stranger = browser.clone();
    stranger.cookies.insert("access_token".to_owned(), "not.a.jwt".to_owned());
    let csrf = browser.cookies["csrf_token"].clone();
    let member = Browser::signed_in(&server, MEMBER).await;
    let mut mixed = browser.clone();
    mixed.cookies.insert("csrf_token".to_owned(), member.cookies["csrf_token"].clone());
    let bare = || browser.bare(Method::POST, APPROVE);
    let good = || browser.request(Method::POST, APPROVE);
    for (case, request, expected) in [
        ("no cookie", Browser::anonymous(&server).request(Method::POST, APPROVE), (401, "no_session")),
        ("no CSRF header", bare(), (403, "csrf_mismatch")),
        ("an empty CSRF header", bare().header("x-csrf-token", ""), (403, "csrf_mismatch")),
        ("another CSRF header", bare().header("x-csrf-token", format!("{csrf}x")), (403, "csrf_mismatch")),
        ("another account's CSRF token", mixed.request(Method::POST, APPROVE), (403, "csrf_mismatch")),
        ("an invalid session", stranger.request(Method::POST, APPROVE), (401, "invalid_session")),
        ("a foreign origin", good().header("origin", "https://evil.example"), (403, "csrf_mismatch")),
        ("another port", good().header("origin", "http://127.0.0.1:1"), (403, "csrf_mismatch")),
        ("an opaque origin", good().header("origin", "null"), (403, "csrf_mismatch")),
        ("a cross-site fetch", good().header("sec-fetch-site", "cross-site"), (403, "csrf_mismatch")),
    ] {
        let answer = Answer::to(request.json(&json!({"user_code": device.user_code}))).await;
        assert_eq!(answer.outcome(), (expected.0, expected.1.to_owned()), "{case}");
        assert_eq!(answer.header("www-authenticate"), "", "{case}");
    }
    assert_eq!(device.poll_error().await, "authorization_pending");
    let alias =
        bare().header("x-csrftoken", &csrf).header("origin", &server.url).header("sec-fetch-site", "same-origin");
    assert_eq!(Answer::to(alias.json(&json!({"user_code": device.user_code}))).await.status, 200);
}

async fn only_valid_console_jwts_open_a_session(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let payload = browser.cookies["access_token"].split('.').nth(1).unwrap().to_owned();
    let payload = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let with = |member: &str, value: serde_json::Value| {
        let mut claims = claims.clone();
        claims[member] = value;
        claims
    };
    let now = server.clock.now().timestamp();
    let approve = async |token: String| {
        let mut browser = browser.clone();
        browser.cookies.insert("access_token".to_owned(), token);
        browser.approve(&device.user_code).await.0
    };
    for (case, token) in [
        ("another key", signed(&claims, "another key that is just as long as the right one")),
        ("another subject", signed(&with("sub", json!("Web API Passport")), SECRET_KEY)),
        ("an audience", signed(&with("aud", json!("somewhere")), SECRET_KEY)),
        ("a token source", signed(&with("token_source", json!("webapp_login_token")), SECRET_KEY)),
        ("expired a second ago", signed(&with("exp", json!(now - 1)), SECRET_KEY)),
        ("no session id", signed(&with("jti", json!(null)), SECRET_KEY)),
        ("another session id", signed(&with("jti", json!(uuid::Uuid::new_v4().to_string())), SECRET_KEY)),
        ("another account", signed(&with("user_id", json!(uuid::Uuid::new_v4().to_string())), SECRET_KEY)),
    ] {
        assert_eq!(approve(token).await, 401, "{case}");
    }
    assert_eq!(approve(signed(&claims, SECRET_KEY)).await, 200, "unchanged claims");
}

async fn disabled_account_cannot_approve_or_redeem(stores: Stores) {
    let server = TestServer::start(stores).await;
    let (before, after) = (Device::start(&server, "a").await, Device::start(&server, "b").await);
    let browser = Browser::signed_in(&server, MEMBER).await;
    assert_eq!(browser.approve(&before.user_code).await.0, 200);
    set_status(&server, MEMBER, AccountStatus::Banned).await;
    assert_eq!(browser.approve(&after.user_code).await.0, 401);
    assert_eq!(before.poll_error().await, "access_denied");
    assert_eq!(database::count(&server, "oauth_access_tokens WHERE revoked_at IS NULL").await, 0);
    set_status(&server, MEMBER, AccountStatus::Active).await;
    server.advance(30);
    assert_eq!(before.poll_error().await, "access_denied", "the session stays revoked");
}

async fn decisions_return_503_while_bearers_are_disabled(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENABLE_OAUTH_BEARER", "false")]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for path in [APPROVE, DENY] {
        let (status, body) = browser.post(path, &json!({"user_code": "3333-3333"})).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("bearer_auth_disabled")));
    }
}

async fn session_revoked_before_the_first_poll_returns_access_denied(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let other = Bearer::sign_in_with(&server, &browser, "other").await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    let (_, sessions) = other.get("/openapi/v1/account/sessions").await;
    let id =
        sessions["data"].as_array().unwrap().iter().find(|row| row["device_label"] == "laptop").unwrap()["id"].clone();
    assert_eq!(other.delete(&format!("/openapi/v1/account/sessions/{}", id.as_str().unwrap())).await.0, 200);
    assert_eq!(device.poll_error().await, "access_denied");
}
