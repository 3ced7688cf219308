//! Headers of every response: a unique request id and security headers.

use reqwest::Method;

use crate::support::{Answer, Bearer, Browser, Stores, TestServer, server::OWNER};

on_both_stores!(
    every_response_has_a_unique_request_id_and_security_headers,
    request_headers_do_not_remove_security_headers,
    https_deployment_sends_strict_transport_security,
    responses_with_codes_or_tokens_are_not_cacheable,
    internal_error_is_logged_once_with_its_request_id
);

async fn every_response_has_a_unique_request_id_and_security_headers(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let mut ids = std::collections::HashSet::new();
    for (request, status) in [
        (bearer.request(Method::GET, "/openapi/v1/_health"), 200),
        (bearer.request(Method::GET, "/openapi/v1/account"), 200),
        (browser.request(Method::GET, "/openapi/v1/account"), 401),
        (browser.request(Method::GET, "/console/api/account/profile"), 200),
        (browser.bare(Method::POST, "/openapi/v1/oauth/device/approve"), 403),
        (bearer.request(Method::GET, "/openapi/v1/nothing"), 404),
        (bearer.request(Method::GET, "/nothing"), 404),
        (bearer.request(Method::PUT, "/openapi/v1/account"), 405),
        (bearer.request(Method::GET, "/openapi/v1/account/sessions?page=0"), 422),
        (bearer.request(Method::GET, "/.well-known/oauth-authorization-server"), 200),
        (bearer.request(Method::GET, "/openapi/v1/openapi.json"), 200),
        (bearer.request(Method::POST, "/openapi/v1/oauth/device/code"), 400),
    ] {
        // The request id of a caller is ignored, because it would allow writing into the log.
        let answer = Answer::to(request.header("x-request-id", "mine")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        let id = answer.header("x-request-id").to_owned();
        assert!(id.len() >= 16 && id != "mine", "{id}");
        assert!(ids.insert(id));
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("strict-transport-security"), "", "the public URL is not https");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

async fn request_headers_do_not_remove_security_headers(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for path in ["/openapi/v1/account", "/device", "/nowhere"] {
        let request = bearer.request(Method::GET, path).header("content-type", "application/grpc");
        let answer = Answer::to(request).await;
        let spoken = answer.header("content-type");
        let expected = if spoken.starts_with("application/grpc") { ["", ""] } else { ["DENY", "nosniff"] };
        assert_eq!(["x-frame-options", "x-content-type-options"].map(|name| answer.header(name)), expected, "{path}");
    }
    let request = bearer.request(Method::GET, "/openapi/v1/account").header("content-type", "application/grpc");
    assert_eq!(Answer::to(request).await.header("cache-control"), "no-store");
}

async fn https_deployment_sends_strict_transport_security(stores: Stores) {
    let server = TestServer::start_with(stores, &[("CONSOLE_WEB_URL", "https://console.example")]).await;
    for path in ["/openapi/v1/_health", "/device", "/nothing", "/console/api/account/profile"] {
        let answer = Answer::to(reqwest::Client::new().get(server.at(path))).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
}

async fn responses_with_codes_or_tokens_are_not_cacheable(stores: Stores) {
    let server = TestServer::start(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let browser = Browser::signed_in(&server, OWNER).await;
    for request in [
        bearer.request(Method::POST, "/openapi/v1/oauth/device/code"),
        bearer.request(Method::POST, "/openapi/v1/oauth/device/token"),
        bearer.request(Method::GET, "/openapi/v1/oauth/device/lookup?user_code=x"),
        bearer.request(Method::GET, "/openapi/v1/account/sessions"),
        browser.request(Method::POST, "/openapi/v1/oauth/device/approve"),
        browser.request(Method::POST, "/console/api/refresh-token"),
    ] {
        assert_eq!(Answer::to(request).await.header("cache-control"), "no-store");
    }
}

async fn internal_error_is_logged_once_with_its_request_id(stores: Stores) {
    let server = TestServer::start(stores).await;
    let logs = crate::support::logs::Logs::capture();
    crate::support::database::execute(&server, "ALTER TABLE oauth_access_tokens RENAME TO hidden").await;
    let token = format!("dfoa_{:043}", 1);
    let answer = Answer::to(Bearer::with_token(&server, &token, "").request(Method::GET, "/openapi/v1/account")).await;
    assert!(answer.status >= 500);
    let id = answer.header("x-request-id");
    let failures = logs.matching(&["ERROR", id]);
    assert_eq!(failures.len(), 1, "{failures:?}");
}
