//! PostgreSQL on several hosts that one URL names.

use std::time::Duration;

use crate::support::{
    Bearer, Stores, TestServer,
    command::{failed, run_command},
    postgres_pair::PostgresPair,
    server::{OWNER, SECRET_KEY},
};

const ACCOUNT: &str = "/openapi/v1/account";

fn url(ports: &[u16], target: &str) -> String {
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://postgres@{}/postgres?target_session_attrs={target}", hosts.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn server_follows_the_primary_through_a_failover() {
    let Some(pair) = PostgresPair::start().await else { return };
    let Ok(redis) = std::env::var("TEST_REDIS_URL") else { return };
    let [primary, standby] = pair.ports();
    // The standby is the first host, and is not chosen.
    let database = url(&[standby, primary], "read-write");
    let stores = Stores::Servers { database, redis, prefix: format!("hosts_{primary}") };
    let server = TestServer::start_with(stores, &[]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.get(ACCOUNT).await.0, 200);
    pair.fail_over().await;
    let mut revoked = 0;
    for _ in 0..300 {
        let status = bearer.delete("/openapi/v1/account/sessions/self").await.0;
        assert!(matches!(status, 200 | 503), "{status}");
        if status == 200 {
            revoked += 1;
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(revoked, 1, "the server has not found the new primary");
    assert_eq!(bearer.get(ACCOUNT).await.0, 401);
}

fn status(database: &str) -> std::process::Output {
    let environment = [
        ("DATABASE_URL", database),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("SECRET_KEY", SECRET_KEY),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001"),
        ("DEPLOY_ENV", "DEVELOPMENT"),
    ];
    run_command(environment, &["migrate", "status"], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn url_without_a_primary_is_named_by_the_error() {
    let Some(pair) = PostgresPair::start().await else { return };
    let [_, standby] = pair.ports();
    let error = failed(&status(&url(&[standby], "primary")), 6);
    assert!(error.contains("no host of the database URL answers and accepts writes"), "{error}");
    assert!(status(&url(&[standby], "any")).status.success());
    let error = failed(&status(&url(&[standby], "standby")), 2);
    assert!(error.contains("this service writes"), "{error}");
}
