//! Unknown paths, unsupported verbs, and malformed bodies.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Bearer, Browser, Stores, TestServer, server::OWNER};

const CODE: &str = "/openapi/v1/oauth/device/code";
const LOGIN: &str = "/console/api/login";

async fn post(server: &TestServer, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::to(reqwest::Client::new().post(server.at(path)).header("content-type", kind).body(body)).await
}

on_every_database!(
    unknown_path_returns_404_for_every_credential,
    front_page_redirects_to_the_device_page,
    unsupported_verb_returns_405_with_allow,
    body_over_the_limit_returns_413,
    body_of_another_media_type_returns_415,
    invalid_json_returns_400_and_is_not_echoed,
    internal_errors_reveal_no_details,
    www_authenticate_names_the_bearer_error,
    bearer_in_query_or_cookie_is_ignored,
    bearer_authentication_can_be_disabled
);

async fn unknown_path_returns_404_for_every_credential(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for path in [
        "//",
        "/openapi",
        "/openapi/v1",
        "/openapi/v1/",
        "/openapi/v1/nothing",
        "/openapi/v1/account/",
        "/openapi/v1//account",
        "/openapi/v1/permitted-external-apps",
        "/openapi/v2/account",
        "/console/api/nothing",
        "/%2e%2e/etc/passwd",
    ] {
        for request in
            [bearer.request(Method::GET, path), browser.request(Method::GET, path), browser.request(Method::POST, path)]
        {
            let answer = Answer::to(request).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_wire!(answer.json(), @r#"
            {
              "code": "not_found",
              "message": "There is nothing at this address.",
              "status": 404
            }
            "#);
        }
    }
}

async fn front_page_redirects_to_the_device_page(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer = Answer::to(Browser::anonymous(&server).bare(Method::GET, "/")).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/device"));
    let answer = Answer::to(Browser::anonymous(&server).bare(Method::POST, "/")).await;
    assert_eq!(answer.outcome(), (405, "method_not_allowed".to_owned()));
}

async fn unsupported_verb_returns_405_with_allow(stores: Stores) {
    let server = TestServer::start(stores).await;
    for (method, path, allow) in [
        (Method::POST, "/openapi/v1/account", "GET"),
        (Method::DELETE, "/openapi/v1/account", "GET"),
        (Method::GET, CODE, "POST"),
        (Method::PUT, "/openapi/v1/account/sessions", "GET"),
        (Method::GET, "/openapi/v1/account/sessions/self", "DELETE"),
        (Method::GET, LOGIN, "POST"),
    ] {
        let answer = Answer::to(Browser::anonymous(&server).bare(method.clone(), path)).await;
        assert_eq!(answer.outcome(), (405, "method_not_allowed".to_owned()), "{method} {path}");
        assert!(
            answer.header("allow").split(',').any(|verb| verb.trim() == allow),
            "{method} {path}: {}",
            answer.header("allow")
        );
    }
}

async fn body_over_the_limit_returns_413(stores: Stores) {
    let server = TestServer::start(stores).await;
    let padded = |bytes: usize| format!("{{\"client_id\": \"difyctl\", \"pad\": \"{}\"}}", "x".repeat(bytes));
    for path in [CODE, LOGIN] {
        let answer = post(&server, path, "application/json", padded(4_096)).await;
        assert_eq!(answer.outcome(), (413, "request_entity_too_large".to_owned()), "{path}");
    }
    let answer = post(
        &server,
        CODE,
        "application/x-www-form-urlencoded",
        format!("client_id=difyctl&pad={}", "x".repeat(4_096)),
    )
    .await;
    assert_eq!(answer.status, 413);
    assert_eq!(post(&server, CODE, "application/json", padded(3_900)).await.status, 200);
}

async fn body_of_another_media_type_returns_415(stores: Stores) {
    let server = TestServer::start(stores).await;
    for kind in
        ["text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
    {
        let answer = post(&server, LOGIN, kind, "{}").await;
        assert_eq!(answer.outcome(), (415, "unsupported_media_type".to_owned()), "{kind:?}");
    }
}

async fn invalid_json_returns_400_and_is_not_echoed(stores: Stores) {
    let server = TestServer::start(stores).await;
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let nested_member = format!("{{\"client_id\": \"difyctl\", \"x\": {nested}}}");
    for body in [
        "{",
        "",
        "null",
        "7",
        "\"text\"",
        "[]",
        "{\"client_id\": \"hunter2\"",
        "{\"client_id\": [\"hunter2\"]}",
        "{\"client_id\": {\"a\": \"hunter2\"}}",
        "{\"client_id\": \"difyctl\"} trailing hunter2",
        "\u{feff}{}",
        &nested,
    ] {
        let answer = post(&server, CODE, "application/json", body.to_owned()).await;
        assert_eq!(answer.outcome(), (400, "invalid_request".to_owned()), "{body:.60}");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
    let ignored = post(&server, CODE, "application/json", nested_member).await;
    assert_eq!(ignored.status, 200, "unknown members are skipped");
    let invalid_utf8 = post(&server, CODE, "application/json", vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}']).await;
    assert_eq!(invalid_utf8.status, 400);
}

async fn internal_errors_reveal_no_details(stores: Stores) {
    let server = TestServer::start(stores).await;
    crate::support::database::execute(&server, "ALTER TABLE oauth_access_tokens RENAME TO hidden").await;
    let bearer = Bearer::with_token(&server, &format!("dfoa_{:043}", 1), "");
    let answer = Answer::to(bearer.request(Method::GET, "/openapi/v1/account")).await;
    assert!(answer.status >= 500, "{}", answer.text);
    for word in ["oauth_access_tokens", "hidden", "SELECT", "relation", "sqlite", "table"] {
        assert!(!answer.text.to_lowercase().contains(&word.to_lowercase()), "{}", answer.text);
    }
    assert_eq!(answer.json()["status"], answer.status);
    assert!(!answer.header("x-request-id").is_empty());
}

async fn www_authenticate_names_the_bearer_error(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let get = |authorization: Option<&'static str>| {
        let request = reqwest::Client::new().get(server.at("/openapi/v1/account"));
        Answer::to(match authorization {
            Some(value) => request.header("authorization", value),
            None => request,
        })
    };
    assert_eq!(get(None).await.header("www-authenticate"), "Bearer");
    assert_eq!(get(Some("Basic eDp5")).await.header("www-authenticate"), "Bearer");
    assert_eq!(get(Some("Bearer app-key")).await.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    let app_key = get(Some("Bearer app-key")).await.json();
    assert!(app_key["hint"].as_str().unwrap().contains("/v1/"), "{app_key}");
    server.advance(15 * 86_400);
    let expired = Answer::to(bearer.request(Method::GET, "/openapi/v1/account")).await;
    assert!(expired.header("www-authenticate").starts_with("Bearer error=\"invalid_token\", error_description="));
    let twice = reqwest::Client::new().get(server.at("/openapi/v1/account"));
    let twice = twice.header("authorization", "Bearer a").header("authorization", "Bearer b");
    assert_eq!(Answer::to(twice).await.outcome(), (401, "bearer_missing".to_owned()));
}

async fn bearer_in_query_or_cookie_is_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let client = reqwest::Client::new();
    let in_query = client.get(server.at(&format!("/openapi/v1/account?access_token={}", bearer.token)));
    assert_eq!(Answer::to(in_query).await.outcome(), (401, "bearer_missing".to_owned()));
    let in_cookie =
        client.get(server.at("/openapi/v1/account")).header("cookie", format!("access_token={}", bearer.token));
    assert_eq!(Answer::to(in_cookie).await.outcome(), (401, "bearer_missing".to_owned()));
}

async fn bearer_authentication_can_be_disabled(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENABLE_OAUTH_BEARER", "false")]).await;
    let get =
        |token: &str| Answer::to(Bearer::with_token(&server, token, "").request(Method::GET, "/openapi/v1/account"));
    let well_formed = format!("dfoa_{:043}", 1);
    assert_eq!(get(&well_formed).await.outcome(), (503, "bearer_auth_disabled".to_owned()));
    // The prefix is checked before the switch.
    assert_eq!(get("app-key").await.outcome(), (401, "invalid_prefix".to_owned()));
    assert_eq!(get("dfp_key").await.outcome(), (401, "unknown_token_prefix".to_owned()));
    assert_eq!(get("dfoa_short").await.outcome(), (401, "bearer_invalid".to_owned()));
    assert_eq!(Browser::anonymous(&server).get("/openapi/v1/_health").await, (200, json!({"ok": true})));
}
