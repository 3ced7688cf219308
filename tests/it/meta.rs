//! `GET /openapi/v1/_health` and `/_version`.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Browser, Stores, TestServer};

on_both_stores!(
    health_and_version_need_no_credential,
    reserved_headers_are_ignored,
    admin_listener_serves_probes_and_metrics
);

async fn health_and_version_need_no_credential(stores: Stores) {
    let server = TestServer::start(stores).await;
    let anonymous = Browser::anonymous(&server);
    assert_eq!(anonymous.get("/openapi/v1/_health").await, (200, json!({"ok": true})));
    assert_eq!(
        anonymous.get("/openapi/v1/_version").await,
        (200, json!({"version": "1.14.2", "edition": "SELF_HOSTED"}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn version_is_the_one_that_the_client_works_with() {
    let server = TestServer::start(Stores::Sqlite).await;
    let configured = TestServer::start_with(Stores::Sqlite, &[("DIFY_VERSION", "1.16.4")]).await;
    for (client, version, edition) in [
        ("difyctl/0.1.3 (linux; x64; stable)", "1.14.2", "SELF_HOSTED"),
        ("difyctl/0.2.0 (linux; x64; stable)", "1.17.1", "COMMUNITY"),
        ("difyctl/1.17.1 (darwin; arm64; stable)", "1.17.1", "COMMUNITY"),
        ("difyctl/1.18.0 (windows; x64; stable)", "1.18.0", "COMMUNITY"),
        ("curl/8.5.0", "1.14.2", "SELF_HOSTED"),
    ] {
        for (server, version) in [(&server, version), (&configured, "1.16.4")] {
            let request = Browser::anonymous(server).bare(Method::GET, "/openapi/v1/_version");
            let answer = Answer::to(request.header("user-agent", client)).await;
            assert_eq!(answer.json(), json!({"version": version, "edition": edition}), "{client}");
        }
    }
}

async fn reserved_headers_are_ignored(stores: Stores) {
    let server = TestServer::start(stores).await;
    let request = Browser::anonymous(&server).bare(Method::GET, "/openapi/v1/_health");
    let request = request.header("x-dify-env", "anything").header("x-dify-workspace-id", "anything");
    assert_eq!(Answer::to(request).await.status, 200);
}

async fn admin_listener_serves_probes_and_metrics(stores: Stores) {
    let server = TestServer::start(stores).await;
    for (path, expected) in [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/openapi/v1/_health", 404)] {
        assert_eq!(Answer::to(reqwest::Client::new().get(server.admin(path))).await.status, expected, "{path}");
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(
            Answer::to(reqwest::Client::new().get(server.at(path))).await.status,
            404,
            "{path} on the public port"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn version_shows_the_enterprise_edition() {
    let variables = [
        ("ENTERPRISE_ENABLED", "true"),
        ("ENTERPRISE_API_URL", "http://127.0.0.1:1"),
        ("ENTERPRISE_API_SECRET_KEY", "enterprise-secret-of-the-tests"),
    ];
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    assert_eq!(Browser::anonymous(&server).get("/openapi/v1/_version").await.1["edition"], "ENTERPRISE");
}
