//! PgBouncer in front of PostgreSQL.

use serde_json::json;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::{failed, run_command, succeeded},
    pgbouncer::{PgBouncer, program},
    postgres_process::{PostgresProcess, query_at},
    runs,
    server::{OWNER, SECRET_KEY},
};

fn stores(bouncer: &PgBouncer) -> Option<Stores> {
    Some(Stores::Servers {
        database: format!("postgres://postgres@127.0.0.1:{}/postgres", bouncer.port),
        redis: std::env::var("TEST_REDIS_URL").ok()?,
        prefix: format!("pooler_{}", bouncer.port),
    })
}

/// The environment of commands behind a pooler in transaction mode.
fn environment<'a>(database: &'a str, redis: &'a str, prepared: &'a str) -> [(&'static str, &'a str); 7] {
    [
        ("DATABASE_URL", database),
        ("REDIS_URL", redis),
        ("DB_TRANSACTION_POOLING", "true"),
        ("DB_PREPARED_STATEMENTS", prepared),
        ("SECRET_KEY", SECRET_KEY),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001"),
        ("DEPLOY_ENV", "DEVELOPMENT"),
    ]
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

/// Settings of a PgBouncer that mixes up the statements of its clients: without `max_prepared_statements`, which it has
/// from 1.21. All clients share one connection to the server.
fn without_statements() -> &'static str {
    if keeps_statements() { "default_pool_size = 1\nmax_prepared_statements = 0" } else { "default_pool_size = 1" }
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_without_prepared_statements_serves_two_replicas() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let Some(bouncer) = PgBouncer::start(postgres.port, "transaction", without_statements()).await else { return };
    let Some(stores) = stores(&bouncer) else { return };
    let settings = [("DB_TRANSACTION_POOLING", "true"), ("DB_PREPARED_STATEMENTS", "false")];
    let one = TestServer::start_with(stores, &settings).await;
    let other = one.replica().await;
    let direct = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    let without_pooler =
        [("DATABASE_URL", direct.as_str()), ("DB_TRANSACTION_POOLING", ""), ("DB_PREPARED_STATEMENTS", "")];
    apps::import_demo(&one.replica_with(&without_pooler).await).await;
    let bearer = Bearer::sign_in(&one, OWNER, "first").await;
    let workspaces = bearer.get("/openapi/v1/workspaces").await.1;
    let workspace = workspaces["workspaces"][0]["id"].as_str().unwrap();
    // The statements of both replicas have the same names.
    for (server, device) in [(&one, "laptop"), (&other, "phone"), (&one, "desktop"), (&other, "tablet")] {
        let bearer = Bearer::sign_in(server, OWNER, device).await;
        let apps = bearer.get(&format!("/openapi/v1/apps?workspace_id={workspace}")).await;
        assert_eq!((apps.0, &apps.1["total"]), (200, &json!(5)), "{}", apps.1);
        let parrot = apps.1["data"].as_array().unwrap().iter().find(|app| app["name"] == "Parrot").unwrap();
        let answer =
            runs::blocking(&bearer, parrot["id"].as_str().unwrap(), json!({"query": "hello", "inputs": {}})).await;
        assert_eq!((answer.status, &answer.json()["answer"]), (200, &json!("You said: hello")), "{}", answer.text);
        assert_eq!(bearer.at(&one).delete("/openapi/v1/account/sessions/self").await.0, 200);
        assert_eq!(bearer.at(&other).get("/openapi/v1/account").await.0, 401);
    }
    let ready = Answer::to(reqwest::Client::new().get(other.admin("/readyz"))).await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    // What a transaction has set ends with it.
    for setting in ["statement_timeout", "lock_timeout"] {
        let shown = query_at(bouncer.port, &format!("SHOW {setting}")).await;
        assert_eq!(shown, "0", "{setting} reached another client");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_behind_pgbouncer_without_prepared_statements() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let Some(bouncer) = PgBouncer::start(postgres.port, "transaction", without_statements()).await else { return };
    let Some(Stores::Servers { database, redis, .. }) = stores(&bouncer) else { return };
    let environment = environment(&database, &redis, "false");
    let run = |arguments: &[&str]| succeeded(run_command(environment, arguments, "a long password")).0;
    // Each command is a client of its own, on the session of the one before.
    run(&["migrate", "up"]);
    assert!(!run(&["migrate", "status"]).contains("pending"));
    let script = run(&["migrate", "down", "--sql"]);
    assert!(script.contains("DELETE FROM"), "{script}");
    run(&["migrate", "down", "--yes"]);
    assert!(run(&["migrate", "status"]).contains("pending"));
    run(&["migrate", "up"]);
    run(&["account", "create", "ada@example.com"]);
    assert!(run(&["account", "list"]).contains("ada@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_that_mixes_up_statements_is_named_by_the_error() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let Some(bouncer) = PgBouncer::start(postgres.port, "transaction", without_statements()).await else { return };
    let Some(Stores::Servers { database, redis, .. }) = stores(&bouncer) else { return };
    let environment = environment(&database, &redis, "true");
    // The first command leaves its statements at the server.
    let _ = run_command(environment, &["migrate", "up"], "");
    let output = run_command(environment, &["migrate", "status"], "");
    let error = failed(&output, 1);
    assert!(error.contains("DB_PREPARED_STATEMENTS=false"), "{error}");
    assert!(error.contains("PgBouncer from 1.21") && error.contains("DB_TRANSACTION_POOLING"), "{error}");
}
