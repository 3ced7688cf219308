//! `POST /openapi/v1/oauth/device/code`.

use serde_json::{Value, json};

use crate::support::{Answer, Browser, Device, Stores, TestServer, cli_device::form_request, server::OWNER};

/// The label that the approver sees for a request with this body.
async fn label_of(server: &TestServer, body: Value) -> String {
    let codes = Device::request_codes(server, &body).await;
    assert_eq!(codes.status, 200, "{}", codes.text);
    let user_code = codes.json()["user_code"].as_str().unwrap().to_owned();
    let browser = Browser::signed_in(server, OWNER).await;
    let (status, found) = browser.get(&format!("/openapi/v1/oauth/device/lookup?user_code={user_code}")).await;
    assert_eq!(status, 200, "{found}");
    found["device_label"].as_str().unwrap().to_owned()
}

/// Checks the codes of a response and replaces them for a snapshot.
fn take_codes(server: &TestServer, answer: &Answer) -> Value {
    let mut body = answer.redacted();
    let user_code = body["user_code"].as_str().unwrap().to_owned();
    let shape: Vec<_> = user_code.split('-').map(str::len).collect();
    assert_eq!(shape, [4, 4]);
    assert!(user_code.chars().all(|symbol| symbol == '-' || "3456789ABCDEFGHJKLMNPQRSTUVWXY".contains(symbol)));
    assert_eq!(body["verification_uri_complete"], format!("{}/device?user_code={user_code}", server.url));
    body["user_code"] = json!("[user_code]");
    body["verification_uri"] = json!(body["verification_uri"].as_str().unwrap().replace(&server.url, "[url]"));
    body["verification_uri_complete"] = json!("[url]/device?user_code=[user_code]");
    body
}

on_every_database!(
    device_receives_a_pair_of_codes,
    form_request_receives_the_same_response_as_json,
    unknown_client_returns_unsupported_client,
    missing_client_id_returns_invalid_request_in_both_error_shapes,
    duplicate_parameter_returns_invalid_request,
    client_id_is_accepted_from_http_basic,
    malformed_bodies_return_400_and_other_media_types_415,
    labels_are_trimmed_and_limited_to_255_characters,
    labels_that_hide_or_reorder_text_are_rejected,
    devices_without_a_label_receive_a_generated_one,
    known_client_ids_are_configurable,
    complete_verification_uri_can_be_disabled,
    device_code_returns_503_while_bearers_are_disabled
);

async fn device_receives_a_pair_of_codes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer = Device::request_codes(&server, &json!({"client_id": "difyctl", "device_label": "laptop"})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_wire!(take_codes(&server, &answer), @r#"
    {
      "device_code": "[device_code]",
      "expires_in": 900,
      "interval": 5,
      "user_code": "[user_code]",
      "verification_uri": "[url]/device",
      "verification_uri_complete": "[url]/device?user_code=[user_code]"
    }
    "#);
}

async fn form_request_receives_the_same_response_as_json(stores: Stores) {
    let server = TestServer::start(stores).await;
    let by_form = Device::request_codes_by_form(&server, "client_id=difyctl&device_label=my%20laptop+2").await;
    assert_eq!(by_form.status, 200, "{}", by_form.text);
    assert_eq!(by_form.header("cache-control"), "no-store");
    let by_json = Device::request_codes(&server, &json!({"client_id": "difyctl", "device_label": "my laptop 2"})).await;
    assert_eq!(take_codes(&server, &by_form), take_codes(&server, &by_json));
}

async fn unknown_client_returns_unsupported_client(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer = Device::request_codes(&server, &json!({"client_id": "unknown-client"})).await;
    assert_eq!(answer.status, 400);
    assert_wire!(answer.json(), @r#"
    {
      "error": "unsupported_client",
      "error_description": "invalid_client"
    }
    "#);
}

async fn missing_client_id_returns_invalid_request_in_both_error_shapes(stores: Stores) {
    let server = TestServer::start(stores).await;
    for answer in [
        Device::request_codes(&server, &json!({})).await,
        Device::request_codes_by_form(&server, "device_label=x").await,
    ] {
        assert_eq!(answer.status, 400);
        assert_wire!(answer.json(), @r#"
        {
          "code": "invalid_request",
          "details": [
            {
              "loc": [
                "body",
                "client_id"
              ],
              "msg": "Field required",
              "type": "missing"
            }
          ],
          "error": "invalid_request",
          "error_description": "client_id is required.",
          "message": "client_id is required.",
          "status": 400
        }
        "#);
    }
}

async fn duplicate_parameter_returns_invalid_request(stores: Stores) {
    let server = TestServer::start(stores).await;
    let in_form = Device::request_codes_by_form(&server, "client_id=difyctl&client_id=difyctl").await;
    assert_eq!(in_form.outcome(), (400, "invalid_request".to_owned()));
    assert_eq!(in_form.json()["error"], "invalid_request");
    let request = reqwest::Client::new().post(server.at("/openapi/v1/oauth/device/code"));
    let twice = r#"{"client_id": "difyctl", "client_id": "difyctl"}"#;
    let in_json = Answer::to(request.header("content-type", "application/json").body(twice)).await;
    assert_eq!(in_json.outcome(), (400, "invalid_request".to_owned()));
}

async fn client_id_is_accepted_from_http_basic(stores: Stores) {
    let server = TestServer::start(stores).await;
    let ask = |user: &'static str, secret: Option<&'static str>| {
        let request = form_request(&server, "/openapi/v1/oauth/device/code", "device_label=laptop");
        Answer::to(request.basic_auth(user, secret))
    };
    assert_eq!(ask("difyctl", Some("")).await.status, 200);
    assert_eq!(ask("unknown-client", Some("")).await.json()["error"], "unsupported_client");
    assert_eq!(ask("difyctl", Some("a secret")).await.outcome(), (400, "invalid_request".to_owned()));
}

async fn malformed_bodies_return_400_and_other_media_types_415(stores: Stores) {
    let server = TestServer::start(stores).await;
    let post = |kind: &'static str, body: &'static str| {
        let request = reqwest::Client::new().post(server.at("/openapi/v1/oauth/device/code"));
        Answer::to(request.header("content-type", kind).body(body))
    };
    for (kind, body, status, code) in [
        ("application/json", "{", 400, "invalid_request"),
        ("application/json", "[]", 400, "invalid_request"),
        ("application/json", r#"{"client_id": 7}"#, 400, "invalid_request"),
        ("application/json", r#"{"client_id": null}"#, 400, "invalid_request"),
        ("application/json; charset=utf-8", r#"{"client_id": "difyctl", "device_label": null}"#, 200, "ok"),
        ("application/json", r#"{"client_id": "difyctl", "and": "more"}"#, 200, "ok"),
        ("text/plain", "client_id=difyctl", 415, "unsupported_media_type"),
        ("multipart/form-data; boundary=x", "client_id=difyctl", 415, "unsupported_media_type"),
    ] {
        let answer = post(kind, body).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{kind}: {body}");
        if status != 200 {
            assert_eq!(answer.json()["error"], "invalid_request", "{kind}: {body}");
        }
    }
}

async fn labels_are_trimmed_and_limited_to_255_characters(stores: Stores) {
    let server = TestServer::start(stores).await;
    let longest = "ä".repeat(255);
    for (label, kept) in [
        ("laptop", "laptop"),
        ("  my laptop ", "my laptop"),
        ("家のPC 🦀", "家のPC 🦀"),
        ("❤\u{fe0f} PC", "❤ PC"),
        (&longest, &longest),
    ] {
        assert_eq!(label_of(&server, json!({"client_id": "difyctl", "device_label": label})).await, kept);
    }
}

async fn labels_that_hide_or_reorder_text_are_rejected(stores: Stores) {
    let server = TestServer::start(stores).await;
    let too_long = "x".repeat(256);
    for label in [
        "two\nlines",
        "nul\0",
        "bell\u{7}",
        "escape\u{1b}[31m",
        "del\u{7f}",
        "next\u{85}line",
        "\u{202e}txt.exe",
        "a\u{200f}b",
        "a\u{2066}b",
        "a\u{200b}b",
        "a\u{feff}b",
        "line\u{2028}end",
        "tag\u{e0041}",
        "soft\u{ad}hyphen",
        "\u{3164}",
        "\u{2800}",
        "\u{301}",
        "z\u{301}\u{302}\u{303}\u{304}\u{305}algo",
        &too_long,
    ] {
        let answer = Device::request_codes(&server, &json!({"client_id": "difyctl", "device_label": label})).await;
        assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{label:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{label:?}");
    }
}

async fn devices_without_a_label_receive_a_generated_one(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut labels = std::collections::HashSet::new();
    for body in [json!({"client_id": "difyctl"}), json!({"client_id": "difyctl", "device_label": ""})] {
        let label = label_of(&server, body).await;
        let (client, suffix) = label.split_once(" #").unwrap();
        assert_eq!((client, suffix.len()), ("difyctl", 4), "{label}");
        labels.insert(label);
    }
    assert_eq!(labels.len(), 2);
}

async fn known_client_ids_are_configurable(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_KNOWN_CLIENT_IDS", "difyctl,other-cli")]).await;
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "other-cli"})).await.status, 200);
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.status, 200);
    assert_eq!(Device::request_codes(&server, &json!({"client_id": "third"})).await.status, 400);
}

async fn complete_verification_uri_can_be_disabled(stores: Stores) {
    let server = TestServer::start_with(stores, &[("DEVICE_FLOW_VERIFICATION_URI_COMPLETE", "false")]).await;
    let body = Device::request_codes(&server, &json!({"client_id": "difyctl"})).await.json();
    assert_eq!(body.get("verification_uri_complete"), None);
    assert_eq!(body["verification_uri"], format!("{}/device", server.url));
}

async fn device_code_returns_503_while_bearers_are_disabled(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENABLE_OAUTH_BEARER", "false")]).await;
    let answer = Device::request_codes(&server, &json!({"client_id": "difyctl"})).await;
    assert_eq!(answer.outcome(), (503, "bearer_auth_disabled".to_owned()));
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
}
