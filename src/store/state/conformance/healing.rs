//! Redis goes away and comes back: commands fail within their time, and then work again by themselves.
//! These tests start servers of their own and are skipped where there is no `redis-server`.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{charge, codes, request};
use crate::{
    domain::{
        Code,
        limit::{LimitName, Quota},
        secret::Secret,
    },
    ports::state::State,
    store::state::redis::{COMMAND_TIMEOUT, Redis, RedisOptions, Topology},
};

/// A throw-away server, killed when dropped.
struct Server {
    child: Child,
    port: u16,
    _dir: TempDir,
}

impl Server {
    fn start(port: u16) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { child, port, _dir: dir })
    }

    fn signal(&self, name: &str) {
        Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
    }

    fn state(&self) -> Redis {
        let url = Secret::new(format!("redis://127.0.0.1:{}", self.port));
        Redis::connect(RedisOptions::new(Topology::Single { url })).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn works(state: &Redis) -> bool {
    let (device, user) = codes();
    let created = state.create_grant(&device, &user, &request()).await;
    created.is_ok() && state.poll_grant(&device, "difyctl").await.is_ok()
}

/// Waits until commands work again, at most five seconds.
async fn heals(state: &Redis) {
    let start = Instant::now();
    while !works(state).await {
        assert!(start.elapsed() < Duration::from_secs(5), "it does not heal");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..50 {
        assert!(works(state).await, "every connection works");
    }
}

async fn fails_in_time(state: &Redis) {
    let bucket = [charge(LimitName::Revoke, "192.0.2.1", Quota::new(5, 60))];
    for _ in 0..5 {
        let start = Instant::now();
        let error = state.charge(&bucket).await.unwrap_err();
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(start.elapsed() < COMMAND_TIMEOUT + Duration::from_millis(300), "{:?}", start.elapsed());
    }
}

/// Waits until every connection knows that the server is away and commands fail at once, at most five seconds.
async fn gives_up_at_once(state: &Redis) {
    let began = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 8 {
        assert!(began.elapsed() < Duration::from_secs(5), "a server that is away is waited for again and again");
        let asked = Instant::now();
        assert!(state.ping().await.is_err());
        in_a_row = if asked.elapsed() < Duration::from_millis(100) { in_a_row + 1 } else { 0 };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_and_comes_back_empty_is_used_again() {
    let Some(server) = Server::start(free_port()) else { return };
    let state = server.state();
    heals(&state).await;
    let port = server.port;
    drop(server);
    fails_in_time(&state).await;
    let Some(_server) = Server::start(port) else { return };
    heals(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_paused_is_used_again() {
    let Some(server) = Server::start(free_port()) else { return };
    let state = server.state();
    heals(&state).await;
    server.signal("-STOP");
    fails_in_time(&state).await;
    gives_up_at_once(&state).await;
    server.signal("-CONT");
    heals(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_need_not_be_there_at_the_start() {
    let port = free_port();
    let url = Secret::new(format!("redis://127.0.0.1:{port}"));
    let state = Redis::connect(RedisOptions::new(Topology::Single { url })).unwrap();
    fails_in_time(&state).await;
    let Some(_server) = Server::start(port) else { return };
    heals(&state).await;
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_loaded_again() {
    let Some(server) = Server::start(free_port()) else { return };
    let state = server.state();
    heals(&state).await;
    let status = Command::new("redis-cli")
        .args(["-p", &server.port.to_string(), "script", "flush"])
        .stdout(Stdio::null())
        .status();
    if status.is_ok() {
        assert!(works(&state).await, "at once");
    }
}

#[test]
fn options_that_cannot_be_read_are_refused_without_repeating_them() {
    for url in ["http://:hunter2@localhost", "redis://:hunter2@localhost:port"] {
        let topology = Topology::Single { url: Secret::new(url) };
        let error = Redis::connect(RedisOptions::new(topology)).err().unwrap();
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let cluster = Topology::Cluster { urls: vec![Secret::new("redis://127.0.0.1:1")] };
    assert!(Redis::connect(RedisOptions::new(cluster).key_prefix(Some("{a}".to_owned()))).is_err());
}
