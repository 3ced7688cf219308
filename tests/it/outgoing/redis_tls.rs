//! Redis with TLS.

use crate::support::{
    Bearer, Stores, TestServer,
    authority::{Authority, text},
    redis_process::RedisProcess,
    server::OWNER,
};

/// The rights that `docs/operations.md` lists for the user of this service.
fn acl_rules() -> String {
    let document = std::fs::read_to_string("docs/operations.md").unwrap();
    let line = document.lines().find(|line| line.starts_with("ACL SETUSER openapi ")).unwrap();
    line.strip_prefix("ACL SETUSER openapi ").unwrap().replace("~dify:*", "~it:*")
}

/// The configuration of a Redis that requires client certificates, and has a user with the documented rights only.
fn configuration(authority: &Authority) -> String {
    let [certificate, key] = authority.issue_files("server");
    format!(
        "tls-port {{port}}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\n\
         user default off\nuser openapi {}",
        text(&certificate),
        text(&key),
        text(&authority.file()),
        acl_rules()
    )
}

async fn stores() -> Option<Stores> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    Some(Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_with_mutual_tls_and_an_acl_user_serves_sign_in() {
    let authority = Authority::new();
    let Some(redis) = RedisProcess::start_with(&configuration(&authority)).await else { return };
    let Some(stores) = stores().await else { return };
    let [certificate, key] = authority.issue_files("client");
    let (port, file) = (redis.port.to_string(), authority.file());
    let variables = [
        ("REDIS_HOST", "localhost"),
        ("REDIS_PORT", &*port),
        ("REDIS_USERNAME", "openapi"),
        ("REDIS_PASSWORD", "secret"),
        ("REDIS_USE_SSL", "true"),
        ("REDIS_SSL_CA_CERTS", text(&file)),
        ("REDIS_SSL_CERTFILE", text(&certificate)),
        ("REDIS_SSL_KEYFILE", text(&key)),
    ];
    let server = TestServer::start_with(stores, &variables).await;
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
