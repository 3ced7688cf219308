//! Probes are answered by a thread and with file descriptors of their own.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Stores, TestServer, process::Process, server::free_port};

/// The time limit of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends a probe without the runtime of the test. `None` without a response within the limit.
fn probe(address: SocketAddr, path: &str, timeout: Duration) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, timeout).ok()?;
    stream.set_read_timeout(Some(timeout)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    Some((response.get(9..12)?.parse().ok()?, response))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_answered_while_all_threads_are_busy() {
    let server = TestServer::start(Stores::Sqlite).await;
    let admin = server.running().bound.admin.unwrap();
    // The first readiness report, which counts while the threads are busy.
    assert_eq!(reqwest::get(server.admin("/readyz")).await.unwrap().status(), 200);
    let busy: Vec<_> = (0..4).map(|_| tokio::spawn(async { std::thread::sleep(Duration::from_secs(4)) })).collect();
    let began = Instant::now();
    let (live, metrics) = (probe(admin, "/livez", PROBE_TIMEOUT), probe(admin, "/metrics", PROBE_TIMEOUT));
    let ready = probe(admin, "/readyz", 2 * PROBE_TIMEOUT);
    assert!(began.elapsed() < Duration::from_secs(3), "the threads are still busy");
    assert_eq!(live.map(|response| response.0), Some(200));
    assert_eq!(metrics.map(|response| response.0), Some(200));
    let (status, body) = ready.unwrap();
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#"{"name":"runtime","health":"degraded"}"#), "{body}");
    for task in busy {
        task.await.unwrap();
    }
    let body = reqwest::get(server.admin("/readyz")).await.unwrap().text().await.unwrap();
    assert!(!body.contains("runtime") && body.contains(r#"{"name":"files","health":"ok"}"#), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_while_no_file_descriptor_is_left() {
    let mut server = TestServer::start(Stores::Sqlite).await;
    server.halt().await;
    let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 120; exec \"$0\" serve", env!("CARGO_BIN_EXE_dify-openapi")])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(server.variables())
        .env("ADMIN_LISTEN", admin.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut process = Process(command.spawn().unwrap());
    let is_ready = || probe(admin, "/readyz", 5 * PROBE_TIMEOUT).is_some_and(|response| response.0 == 200);
    let began = Instant::now();
    while !is_ready() {
        assert!(process.0.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let public: SocketAddr = server.variable("LISTEN").parse().unwrap();
    let held: Vec<_> = (0..200).filter_map(|_| TcpStream::connect_timeout(&public, PROBE_TIMEOUT).ok()).collect();
    // The kernel completes connections that the process cannot accept.
    assert!(held.len() > 120, "{} connections", held.len());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.0.id())).unwrap().count();
    assert!(open > 110, "{open} descriptors are open");
    for _ in 0..20 {
        let live = probe(admin, "/livez", 2 * PROBE_TIMEOUT);
        assert_eq!(live.map(|response| response.0), Some(200));
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn directory_that_cannot_be_written_degrades_readiness() {
    let server = TestServer::start(Stores::Sqlite).await;
    let ready = async || reqwest::get(server.admin("/readyz")).await.unwrap().text().await.unwrap();
    assert!(ready().await.contains(r#"{"name":"files","health":"ok"}"#));
    let directory = server.files_dir();
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::write(&directory, "a file").unwrap();
    let body = ready().await;
    assert!(body.contains(r#""ready":true"#) && body.contains(r#"{"name":"files","health":"degraded"}"#), "{body}");
    let metrics = reqwest::get(server.admin("/metrics")).await.unwrap().text().await.unwrap();
    let gauge = metrics.lines().find(|line| line.starts_with("openapi_ready_checks{") && line.contains("\"files\""));
    assert!(gauge.is_some_and(|line| line.ends_with(" 0")), "{gauge:?}");
    std::fs::remove_file(&directory).unwrap();
    assert!(ready().await.contains(r#"{"name":"files","health":"ok"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_listener_ends_with_its_server() {
    let server = TestServer::start(Stores::Sqlite).await;
    let address = server.running().bound.admin.unwrap();
    assert!(TcpStream::connect(address).is_ok());
    drop(server);
    for _ in 0..200 {
        if TcpStream::connect(address).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the listener still accepts connections");
}
