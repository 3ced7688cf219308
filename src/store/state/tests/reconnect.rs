//! Redis stops and starts again: commands fail within their timeout, and later succeed without a restart of the
//! process.
//!
//! These tests start servers of their own. They are skipped when there is no `redis-server`.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    backend::charge,
    redis_server::{RedisServer, free_port, stores_on},
    samples::{grant_request, new_codes},
};
use crate::{
    domain::{
        Code,
        limit::{LimitName, Quota},
        secret::Secret,
    },
    ports::{redis_topology::RedisTopology, state_stores::StateStores},
    store::state::{
        redis::options::{COMMAND_TIMEOUT, RedisOptions},
        redis_stores,
    },
};

async fn commands_succeed(stores: &StateStores) -> bool {
    let (device, user) = new_codes();
    let created = stores.grants.create(&device, &user, &grant_request()).await;
    created.is_ok() && stores.grants.poll(&device, "difyctl").await.is_ok()
}

/// Waits until commands succeed, for at most five seconds.
async fn wait_until_reconnected(stores: &StateStores) {
    let start = Instant::now();
    while !commands_succeed(stores).await {
        assert!(start.elapsed() < Duration::from_secs(5), "no reconnection within five seconds");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..50 {
        assert!(commands_succeed(stores).await, "every connection is up");
    }
}

async fn assert_fails_within_the_timeout(stores: &StateStores) {
    let bucket = [charge(LimitName::Revoke, "192.0.2.1", Quota::new(5, 60))];
    for _ in 0..5 {
        let start = Instant::now();
        let error = stores.rate_limits.charge(&bucket).await.unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(start.elapsed() < COMMAND_TIMEOUT + Duration::from_millis(300), "{:?}", start.elapsed());
    }
}

/// Waits until every connection is down, so that commands fail at once, for at most five seconds.
async fn wait_until_commands_fail_at_once(stores: &StateStores) {
    let start = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 8 {
        assert!(start.elapsed() < Duration::from_secs(5), "commands still wait for a server that does not reply");
        let start_of_ping = Instant::now();
        assert!(stores.health.ping().await.is_err());
        in_a_row = if start_of_ping.elapsed() < Duration::from_millis(100) { in_a_row + 1 } else { 0 };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_server_is_used_again_after_its_restart() {
    let Some(server) = RedisServer::start(free_port(), &[]) else { return };
    let stores = stores_on(server.port, 0);
    wait_until_reconnected(&stores).await;
    let port = server.port;
    drop(server);
    assert_fails_within_the_timeout(&stores).await;
    let Some(_server) = RedisServer::start(port, &[]) else { return };
    wait_until_reconnected(&stores).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_server_is_used_again_after_it_resumes() {
    let Some(server) = RedisServer::start(free_port(), &[]) else { return };
    let stores = stores_on(server.port, 0);
    wait_until_reconnected(&stores).await;
    server.signal("-STOP");
    assert_fails_within_the_timeout(&stores).await;
    wait_until_commands_fail_at_once(&stores).await;
    server.signal("-CONT");
    wait_until_reconnected(&stores).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_may_start_after_the_process() {
    let port = free_port();
    let stores = stores_on(port, 0);
    assert_fails_within_the_timeout(&stores).await;
    let Some(_server) = RedisServer::start(port, &[]) else { return };
    wait_until_reconnected(&stores).await;
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    let Some(server) = RedisServer::start(free_port(), &[]) else { return };
    let stores = stores_on(server.port, 0);
    wait_until_reconnected(&stores).await;
    let status = Command::new("redis-cli")
        .args(["-p", &server.port.to_string(), "script", "flush"])
        .stdout(Stdio::null())
        .status();
    if status.is_ok() {
        assert!(commands_succeed(&stores).await, "the next command succeeds");
    }
}

#[test]
fn invalid_options_are_rejected_without_quoting_the_password() {
    for url in ["http://:hunter2@localhost", "redis://:hunter2@localhost:port"] {
        let topology = RedisTopology::Single { url: Secret::new(url) };
        let error = redis_stores(RedisOptions::new(topology)).err().unwrap();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let cluster = RedisTopology::Cluster { urls: vec![Secret::new("redis://127.0.0.1:1")] };
    assert!(redis_stores(RedisOptions::new(cluster).with_key_prefix(Some("{a}".to_owned()))).is_err());
}
