//! PostgreSQL with TLS and a private authority.

use crate::support::{
    Bearer, Stores, TestServer,
    authority::{Authority, text},
    command::failed,
    postgres_process::PostgresProcess,
    server::OWNER,
};

#[tokio::test(flavor = "multi_thread")]
async fn postgres_with_a_private_authority_is_verified() {
    let authority = Authority::new();
    let issued = authority.issue();
    let files = [("server.pem", issued.certificate), ("server.key", issued.key)];
    let arguments = |directory: &std::path::Path| {
        let path = |name: &str| directory.join(name).display().to_string();
        let options = ["ssl=on".to_owned(), format!("ssl_cert_file={}", path("server.pem"))];
        let options = options.into_iter().chain([format!("ssl_key_file={}", path("server.key"))]);
        options.flat_map(|option| ["-c".to_owned(), option]).collect()
    };
    let Some(postgres) = PostgresProcess::start_with(&files, arguments).await else { return };
    let Ok(redis) = std::env::var("TEST_REDIS_URL") else { return };
    let verified = format!("postgres://postgres@localhost:{}/postgres?sslmode=verify-full", postgres.port);
    let (file, prefix) = (authority.file(), format!("tls_{}", postgres.port));
    let named = Stores::Servers { database: format!("{verified}&sslrootcert={}", text(&file)), redis, prefix };
    let server = TestServer::start_with(named, &[]).await;
    assert_eq!(Bearer::sign_in(&server, OWNER, "laptop").await.get("/openapi/v1/account").await.0, 200);
    // The common authorities apply where the URL has none of its own.
    let common = server.replica_with(&[("DATABASE_URL", &verified), ("SSL_CERT_FILE", text(&file))]).await;
    assert_eq!(Bearer::sign_in(&common, OWNER, "desktop").await.get("/openapi/v1/account").await.0, 200);
    // As behind a pooler.
    let pooled = [("DB_TRANSACTION_POOLING", "true"), ("DB_PREPARED_STATEMENTS", "false")];
    let pooled = [&pooled, [("DATABASE_URL", &*verified), ("SSL_CERT_FILE", text(&file))].as_slice()].concat();
    let pooled = server.replica_with(&pooled).await;
    assert_eq!(Bearer::sign_in(&pooled, OWNER, "phone").await.get("/openapi/v1/account").await.0, 200);

    let output = server.command_with(&[("DATABASE_URL", &verified)], &["migrate", "status"]);
    let error = failed(&output, 1);
    assert!(
        error.contains("certificate of the database is not accepted") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
}
