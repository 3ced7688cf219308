//! Redis with TLS.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Bearer, Device, Stores, TestServer,
    authority::{Authority, text},
    process::signal,
    redis_process::RedisProcess,
    server::OWNER,
    server_process::ServerProcess,
};

/// The rights that `docs/operations.md` lists for the user of this service.
fn acl_rules() -> String {
    let document = std::fs::read_to_string("docs/operations.md").unwrap();
    let line = document.lines().find(|line| line.starts_with("ACL SETUSER openapi ")).unwrap();
    line.strip_prefix("ACL SETUSER openapi ").unwrap().replace("~dify:*", "~it:*")
}

/// The configuration of a Redis that requires client certificates of the authorities in a file, and has a user with the
/// documented rights only.
fn configuration(authority: &Authority, trusted: &Path) -> String {
    let [certificate, key] = authority.issue_files("server");
    format!(
        "tls-port {{port}}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\n\
         user default off\nuser openapi {}",
        text(&certificate),
        text(&key),
        text(trusted),
        acl_rules()
    )
}

fn variables<'a>(port: &'a str, authority: &'a Path, client: &'a [PathBuf; 2]) -> [(&'a str, &'a str); 8] {
    let [certificate, key] = client;
    [
        ("REDIS_HOST", "localhost"),
        ("REDIS_PORT", port),
        ("REDIS_USERNAME", "openapi"),
        ("REDIS_PASSWORD", "secret"),
        ("REDIS_USE_SSL", "true"),
        ("REDIS_SSL_CA_CERTS", text(authority)),
        ("REDIS_SSL_CERTFILE", text(certificate)),
        ("REDIS_SSL_KEYFILE", text(key)),
    ]
}

async fn stores() -> Option<Stores> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    Some(Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_mutual_tls_and_an_acl_user_serves_sign_in() {
    let authority = Authority::new();
    let Some(redis) = RedisProcess::start_with(&configuration(&authority, &authority.file())).await else { return };
    let Some(stores) = stores().await else { return };
    let client = authority.issue_files("client");
    let (port, file) = (redis.port.to_string(), authority.file());
    let server = TestServer::start_with(stores, &variables(&port, &file, &client)).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for _ in 0..3 {
        assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    }
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 401);
    let ready = reqwest::get(server.admin("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 200, "{}", ready.text().await.unwrap());
    // The common authorities apply where Redis has none of its own.
    let common = [("REDIS_SSL_CA_CERTS", ""), ("SSL_CERT_FILE", text(&file))];
    let replica = server.replica_with(&common).await;
    assert_eq!(Bearer::sign_in(&replica, OWNER, "desktop").await.get("/openapi/v1/account").await.0, 200);
    // Neither is trusted without being named.
    let untrusting = server.replica_with(&[("REDIS_SSL_CA_CERTS", "")]).await;
    let ready = reqwest::get(untrusting.admin("/readyz")).await.unwrap();
    assert!(ready.text().await.unwrap().contains("degraded"), "Redis is not reached");
}

/// Whether a code is issued, which Redis keeps.
async fn issues_codes(server: &TestServer) -> bool {
    Device::request_codes(server, &json!({"client_id": "difyctl"})).await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_client_certificate_is_presented_without_a_restart() {
    let (authority, next) = (Authority::new(), Authority::new());
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("trusted.pem");
    fs::copy(authority.file(), &trusted).unwrap();
    let Some(redis) = RedisProcess::start_with(&configuration(&authority, &trusted)).await else { return };
    let Some(stores) = stores().await else { return };
    let client = authority.issue_files("client");
    let (port, file) = (redis.port.to_string(), authority.file());
    let mut server = TestServer::start_with(stores, &variables(&port, &file, &client)).await;
    server.halt().await;
    let process = ServerProcess::start(&server).await;
    assert!(issues_codes(&server).await);

    redis.kill();
    fs::copy(next.file(), &trusted).unwrap();
    redis.restart().await;
    assert!(!issues_codes(&server).await, "the old certificate is accepted");
    for (renewed, file) in next.issue_files("client").iter().zip(&client) {
        fs::copy(renewed, file).unwrap();
    }
    signal("HUP", &[process.id()]);
    let began = Instant::now();
    while !issues_codes(&server).await {
        assert!(began.elapsed() < Duration::from_secs(20), "the renewed certificate is not presented");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
