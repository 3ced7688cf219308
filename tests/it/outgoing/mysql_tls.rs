//! MySQL and MariaDB with TLS and a private authority.

use crate::support::{
    Bearer, Stores, TestServer,
    authority::{Authority, text},
    command::failed,
    mariadb_process::MariadbProcess,
    server::OWNER,
};

/// A server on the database, with Redis; `None` without test servers.
async fn server(mariadb: &MariadbProcess, database: String) -> Option<TestServer> {
    let redis = std::env::var("TEST_REDIS_URL").ok()?;
    let prefix = format!("tls_{}", mariadb.port);
    Some(TestServer::start_with(Stores::Servers { database, redis, prefix }, &[]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_with_a_private_authority_is_verified() {
    let authority = Authority::new();
    let Some(mariadb) = MariadbProcess::start(&authority, false).await else { return };
    let (file, verified) = (authority.file(), mariadb.url("ssl-mode=VERIFY_IDENTITY"));
    let Some(server) = server(&mariadb, format!("{verified}&ssl-ca={}", text(&file))).await else { return };
    assert_eq!(Bearer::sign_in(&server, OWNER, "laptop").await.get("/openapi/v1/account").await.0, 200);
    // The common authorities apply where the URL has none of its own.
    let common = server.replica_with(&[("DATABASE_URL", &verified), ("SSL_CERT_FILE", text(&file))]).await;
    assert_eq!(Bearer::sign_in(&common, OWNER, "desktop").await.get("/openapi/v1/account").await.0, 200);

    let output = server.command_with(&[("DATABASE_URL", &verified)], &["migrate", "status"]);
    let error = failed(&output, 1);
    assert!(
        error.contains("certificate of the database is not accepted") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    let plain = server.command_with(&[("DATABASE_URL", &mariadb.url("ssl-mode=DISABLED"))], &["migrate", "status"]);
    assert!(!plain.status.success(), "the user has to use TLS: {plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_that_requires_a_client_certificate_gets_it() {
    let authority = Authority::new();
    let Some(mariadb) = MariadbProcess::start(&authority, true).await else { return };
    let file = authority.file();
    let without = mariadb.url(&format!("ssl-mode=VERIFY_CA&ssl-ca={}", text(&file)));
    let Some(server) = server(&mariadb, format!("{without}{}", MariadbProcess::certificate(&authority))).await else {
        return;
    };
    assert_eq!(Bearer::sign_in(&server, OWNER, "laptop").await.get("/openapi/v1/account").await.0, 200);
    let refused = server.command_with(&[("DATABASE_URL", &without)], &["migrate", "status"]);
    assert!(!refused.status.success(), "{refused:?}");
}
