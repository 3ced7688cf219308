//! `GET /.well-known/oauth-authorization-server` (RFC 8414).

use reqwest::Method;

use crate::support::{Answer, Browser, Stores, TestServer};

on_both_stores!(metadata_lists_endpoints_that_exist, issuer_is_configured_and_ignores_the_host_header);

async fn metadata_lists_endpoints_that_exist(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer =
        Answer::to(Browser::anonymous(&server).bare(Method::GET, "/.well-known/oauth-authorization-server")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let body: serde_json::Value = serde_json::from_str(&answer.text.replace(&server.url, "[url]")).unwrap();
    assert_wire!(body, @r#"
    {
      "device_authorization_endpoint": "[url]/openapi/v1/oauth/device/code",
      "grant_types_supported": [
        "urn:ietf:params:oauth:grant-type:device_code"
      ],
      "issuer": "[url]",
      "response_types_supported": [
        "none"
      ],
      "revocation_endpoint": "[url]/openapi/v1/oauth/revoke",
      "revocation_endpoint_auth_methods_supported": [
        "none"
      ],
      "scopes_supported": [
        "full",
        "apps:read",
        "apps:run",
        "workspace:read",
        "workspace:write"
      ],
      "token_endpoint": "[url]/openapi/v1/oauth/device/token",
      "token_endpoint_auth_methods_supported": [
        "none"
      ]
    }
    "#);
    for member in ["device_authorization_endpoint", "token_endpoint", "revocation_endpoint"] {
        let url = answer.json()[member].as_str().unwrap().to_owned();
        let status = Answer::to(reqwest::Client::new().post(url)).await.status;
        assert_eq!(status, 400, "{member} requires parameters");
    }
}

async fn issuer_is_configured_and_ignores_the_host_header(stores: Stores) {
    let server = TestServer::start_with(stores, &[("CONSOLE_WEB_URL", "https://console.example/")]).await;
    let request = Browser::anonymous(&server).bare(Method::GET, "/.well-known/oauth-authorization-server");
    let body =
        Answer::to(request.header("host", "evil.example").header("x-forwarded-host", "evil.example")).await.json();
    assert_eq!(body["issuer"], "https://console.example");
    assert_eq!(body["token_endpoint"], "https://console.example/openapi/v1/oauth/device/token");
    let codes =
        crate::support::Device::request_codes(&server, &serde_json::json!({"client_id": "difyctl"})).await.json();
    assert_eq!(codes["verification_uri"], "https://console.example/device");
}
