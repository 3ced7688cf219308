//! Errors of connections name their cause.

use crate::support::{
    command::{failed, run_command},
    server::{SECRET_KEY, free_port},
};

fn error_of(database: &str, code: i32) -> String {
    let environment = [
        ("DATABASE_URL", database),
        ("SINGLE_REPLICA", "true"),
        ("SECRET_KEY", SECRET_KEY),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001"),
        ("DEPLOY_ENV", "DEVELOPMENT"),
    ];
    failed(&run_command(environment, &["migrate", "status"], ""), code)
}

#[test]
fn closed_port_and_unknown_host_are_named() {
    let closed = error_of(&format!("postgres://postgres@127.0.0.1:{}/postgres", free_port()), 6);
    assert!(closed.contains("no database accepts connections at this address"), "{closed}");
    let unknown = error_of("postgres://postgres@no-such-host.invalid/postgres", 6);
    assert!(unknown.contains("the name of the database's host has no address"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exhausted_connections_are_named() {
    use crate::support::postgres_process::PostgresProcess;
    let arguments = |_: &std::path::Path| {
        ["-c", "max_connections=5", "-c", "superuser_reserved_connections=0"].map(str::to_owned).to_vec()
    };
    let Some(postgres) = PostgresProcess::start_with(&[], arguments).await else { return };
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    let mut held = Vec::new();
    while let Ok(connection) = sea_orm::sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&url).await {
        held.push(connection);
        if held.len() == 5 {
            break;
        }
    }
    let error = tokio::task::spawn_blocking(move || error_of(&url, 6)).await.unwrap();
    assert!(error.contains("no connection left") && error.contains("SQLALCHEMY_POOL_SIZE"), "{error}");
}
