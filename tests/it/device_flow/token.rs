//! `POST /openapi/v1/oauth/device/token`: the response to a poll.

use serde_json::json;

use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    cli_device::{TOKEN, form_request},
    server::{MEMBER, OWNER},
};

on_every_database!(
    approved_device_receives_its_token_once,
    pending_device_returns_authorization_pending,
    early_poll_returns_slow_down_with_a_longer_interval,
    fixed_cadence_receives_the_token_after_an_early_poll,
    poll_one_second_early_is_accepted,
    poll_by_another_client_returns_invalid_grant_and_is_not_counted,
    denied_device_returns_access_denied,
    code_expires_after_fifteen_minutes,
    unknown_device_code_returns_expired_token,
    late_approval_extends_the_code_by_a_minute,
    form_and_http_basic_polls_are_accepted,
    malformed_polls_return_a_protocol_error_and_are_not_counted
);

async fn approved_device_receives_its_token_once(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(device.poll_error().await, "authorization_pending");
    let (status, _) = Browser::signed_in(&server, OWNER).await.approve(&device.user_code).await;
    assert_eq!(status, 200);
    server.advance(5);
    let answer = device.poll_at(&server).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    assert_eq!(body["token"], body["access_token"]);
    let bearer = Bearer::with_token(&server, body["token"].as_str().unwrap(), "");
    let mut body = answer.redacted();
    let expires_in = body["expires_in"].as_i64().unwrap();
    assert!((14 * 86_400 - 10..=14 * 86_400).contains(&expires_in), "{expires_in}");
    body["expires_in"] = json!("[seconds]");
    assert_wire!(body, @r#"
    {
      "access_token": "[token]",
      "account": {
        "email": "demo@example.com",
        "id": "[uuid]",
        "name": "Demo"
      },
      "default_workspace_id": "[uuid]",
      "expires_at": "[time]",
      "expires_in": "[seconds]",
      "scope": "full",
      "subject_email": "demo@example.com",
      "subject_issuer": null,
      "subject_type": "account",
      "token": "[token]",
      "token_id": "[uuid]",
      "token_type": "Bearer",
      "workspaces": [
        {
          "id": "[uuid]",
          "name": "Demo Workspace",
          "role": "owner"
        },
        {
          "id": "[uuid]",
          "name": "Second Workspace",
          "role": "owner"
        }
      ]
    }
    "#);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    server.advance(60);
    assert_eq!(device.poll_error().await, "expired_token");
}

async fn pending_device_returns_authorization_pending(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let answer = device.poll_at(&server).await;
    assert_eq!((answer.status, answer.header("cache-control")), (400, "no-store"));
    assert_wire!(answer.json(), @r#"
    {
      "error": "authorization_pending",
      "error_description": "The request has not been approved or denied yet. Keep polling."
    }
    "#);
}

async fn early_poll_returns_slow_down_with_a_longer_interval(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(device.poll_error().await, "authorization_pending");
    let early = device.poll_at(&server).await;
    assert_eq!(early.status, 400);
    assert_wire!(early.json(), @r#"
    {
      "error": "slow_down",
      "error_description": "Polling too often. Wait for the interval between polls.",
      "interval": 10
    }
    "#);
    server.advance(10);
    assert_eq!(device.poll_error().await, "authorization_pending");
    for expected in [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 60, 60] {
        let (_, body) = device.poll().await;
        assert_eq!((body["error"].as_str(), body["interval"].as_i64()), (Some("slow_down"), Some(expected)));
    }
    server.advance(5);
    assert_eq!(device.poll_error().await, "authorization_pending");
    let (_, body) = device.poll().await;
    assert_eq!(body["interval"], 10, "a poll in time resets the interval");
}

async fn fixed_cadence_receives_the_token_after_an_early_poll(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(device.poll_error().await, "authorization_pending");
    server.advance(1);
    assert_eq!(device.poll_error().await, "slow_down");
    server.advance(5);
    assert_eq!(device.poll_error().await, "authorization_pending");
    assert_eq!(Browser::signed_in(&server, OWNER).await.approve(&device.user_code).await.0, 200);
    server.advance(5);
    assert_eq!(device.poll().await.0, 200);
}

async fn poll_one_second_early_is_accepted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(device.poll_error().await, "authorization_pending");
    server.advance(4);
    assert_eq!(device.poll_error().await, "authorization_pending");
    server.advance(2);
    assert_eq!(device.poll_error().await, "slow_down");
}

async fn poll_by_another_client_returns_invalid_grant_and_is_not_counted(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_KNOWN_CLIENT_IDS", "difyctl,other")]).await;
    let device = Device::start(&server, "laptop").await;
    for _ in 0..3 {
        let answer =
            Device::poll_with(&server, &json!({"client_id": "other", "device_code": device.device_code})).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{}", answer.text);
    }
    assert_eq!(device.poll_error().await, "authorization_pending");
}

async fn denied_device_returns_access_denied(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    assert_eq!(Browser::signed_in(&server, OWNER).await.deny(&device.user_code).await.0, 200);
    assert_eq!(device.poll_error().await, "access_denied");
    // An early poll returns `slow_down` whatever the decision.
    assert_eq!(device.poll_error().await, "slow_down");
    server.advance(30);
    assert_eq!(device.poll_error().await, "access_denied");
    server.advance(900);
    assert_eq!(device.poll_error().await, "expired_token");
}

async fn code_expires_after_fifteen_minutes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    server.advance(895);
    assert_eq!(device.poll_error().await, "authorization_pending");
    server.advance(10);
    assert_eq!(device.poll_error().await, "expired_token");
    let (status, body) = Browser::signed_in(&server, OWNER).await.approve(&device.user_code).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
}

async fn unknown_device_code_returns_expired_token(stores: Stores) {
    let server = TestServer::start(stores).await;
    for code in ["dc_0123456789abcdefghijklmnopqrstuv", "dc_", "nonsense", "💥"] {
        let answer = Device::poll_with(&server, &json!({"client_id": "difyctl", "device_code": code})).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("expired_token")), "{code}");
    }
}

async fn late_approval_extends_the_code_by_a_minute(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    server.advance(890);
    assert_eq!(browser.approve(&device.user_code).await.0, 200);
    server.advance(45);
    assert_eq!(device.poll().await.0, 200);
}

async fn form_and_http_basic_polls_are_accepted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let grant_type = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    let form = format!("{grant_type}&device_code={}&client_id=difyctl", device.device_code);
    assert_eq!(Device::poll_by_form(&server, &form).await.json()["error"], "authorization_pending");
    server.advance(5);
    assert_eq!(Browser::signed_in(&server, MEMBER).await.approve(&device.user_code).await.0, 200);
    let form = format!("{grant_type}&device_code={}", device.device_code);
    let answer = Answer::to(form_request(&server, TOKEN, &form).basic_auth("difyctl", Some(""))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["token_type"], "Bearer");
}

async fn malformed_polls_return_a_protocol_error_and_are_not_counted(stores: Stores) {
    let server = TestServer::start(stores).await;
    let device = Device::start(&server, "laptop").await;
    let code = &device.device_code;
    for (body, error) in [
        (json!({}), "invalid_request"),
        (json!({"client_id": "difyctl"}), "invalid_request"),
        (json!({"device_code": code}), "invalid_request"),
        (json!({"client_id": "difyctl", "device_code": ""}), "invalid_request"),
        (json!({"client_id": "difyctl", "device_code": 7}), "invalid_request"),
        (json!({"client_id": "difyctl", "device_code": [code]}), "invalid_request"),
        (json!({"client_id": "difyctl", "device_code": code, "grant_type": "password"}), "unsupported_grant_type"),
    ] {
        let answer = Device::poll_with(&server, &body).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{body}");
    }
    let twice = format!("client_id=difyctl&device_code={code}&device_code={code}");
    assert_eq!(Device::poll_by_form(&server, &twice).await.outcome(), (400, "invalid_request".to_owned()));
    // The malformed requests did not count as polls.
    assert_eq!(device.poll_error().await, "authorization_pending");
}
