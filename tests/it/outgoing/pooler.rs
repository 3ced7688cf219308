//! PgBouncer in front of PostgreSQL.

use crate::support::{
    Bearer, Stores, TestServer,
    command::failed,
    pgbouncer::{PgBouncer, program},
    postgres_process::PostgresProcess,
    server::OWNER,
};

fn stores(bouncer: &PgBouncer) -> Option<Stores> {
    Some(Stores::Servers {
        database: format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port),
        redis: std::env::var("TEST_REDIS_URL").ok()?,
        prefix: format!("pooler_{}", bouncer.port),
    })
}

/// Whether this PgBouncer keeps prepared statements apart, which is so from 1.21.
fn keeps_statements() -> bool {
    let version = std::process::Command::new(program()).arg("--version").output().unwrap().stdout;
    let text = String::from_utf8(version).unwrap();
    let number = text.split_whitespace().nth(1).unwrap();
    let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    (parts.next().unwrap(), parts.next().unwrap()) >= (1, 21)
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_in_session_mode_serves_sign_in() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let Some(bouncer) = PgBouncer::start(postgres.port, "session", "").await else { return };
    let Some(stores) = stores(&bouncer) else { return };
    let server = TestServer::start_with(stores, &[]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_in_transaction_mode_serves_sign_in_without_settings_of_sessions() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    if !keeps_statements() {
        eprintln!("this pgbouncer is older than 1.21: tests/run without --quick builds a newer one");
        return;
    }
    // One connection to the server for all clients, so that every setting of a session would reach the others.
    let settings = "default_pool_size = 1\nmax_prepared_statements = 200";
    let Some(bouncer) = PgBouncer::start(postgres.port, "transaction", settings).await else { return };
    let Some(stores) = stores(&bouncer) else { return };
    let server = TestServer::start_with(stores, &[("DB_TRANSACTION_POOLING", "true")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let direct = format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port);
    let timeout = crate::support::database::scalar(&direct, "SHOW statement_timeout").await;
    assert_eq!(timeout, "0", "the setting reached another client");
}

/// Without `max_prepared_statements`, which PgBouncer has from 1.21, it mixes up the statements of its clients.
#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_that_mixes_up_statements_is_named_by_the_error() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let settings = "default_pool_size = 1\nmax_prepared_statements = 0";
    let settings = if keeps_statements() { settings } else { "default_pool_size = 1" };
    let Some(bouncer) = PgBouncer::start(postgres.port, "transaction", settings).await else { return };
    let Some(Stores::Servers { database, redis, .. }) = stores(&bouncer) else { return };
    let environment = [
        ("DATABASE_URL", database.as_str()),
        ("REDIS_URL", redis.as_str()),
        ("DB_TRANSACTION_POOLING", "true"),
        ("SECRET_KEY", crate::support::server::SECRET_KEY),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001"),
        ("DEPLOY_ENV", "DEVELOPMENT"),
    ];
    // The first command leaves its statements at the server.
    let _ = crate::support::command::run_command(environment, &["migrate", "up"], "");
    let output = crate::support::command::run_command(environment, &["migrate", "status"], "");
    let error = failed(&output, 1);
    assert!(error.contains("PgBouncer from 1.21") && error.contains("DB_TRANSACTION_POOLING"), "{error}");
}
