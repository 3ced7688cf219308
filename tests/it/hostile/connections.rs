//! Ten thousand idle connections to the real binary.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use super::TIMEOUT;
use crate::support::dev_server::DevServer;

/// More than a listener serves at the same time.
const CONNECTIONS: usize = 10_500;
/// The memory limit of one connection.
const MAX_KIB_PER_CONNECTION: usize = 40;
/// Other files that this process needs, including those of other tests.
const OTHER_FILES: usize = 4_000;

/// Raises the limit of open files when possible, and returns whether it is high enough.
fn can_open_files(files: usize) -> bool {
    let limit = |column| {
        let limits = fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
        line.split_whitespace().nth(column).unwrap().parse::<usize>().unwrap_or(usize::MAX)
    };
    let (soft, hard) = (limit(3), limit(4));
    if soft < files && hard >= files {
        let id = std::process::id().to_string();
        let raised = Command::new("prlimit").args(["--pid", &id, &format!("--nofile={files}:{hard}")]).status();
        return raised.is_ok_and(|status| status.success());
    }
    soft >= files
}

/// The resident memory of a process in KiB.
fn resident_kib(id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The response to one request on a new connection.
async fn health(address: SocketAddr) -> String {
    let request = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /openapi/v1/_health HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    time::timeout(TIMEOUT, request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_do_not_block_requests() {
    if !can_open_files(CONNECTIONS + OTHER_FILES) {
        eprintln!("skipped: this process may not open {} files", CONNECTIONS + OTHER_FILES);
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let server = DevServer::start(data.path());
    let address: SocketAddr = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let id = server.process.0.id();
    assert!(health(address).await.starts_with("HTTP/1.1 200"));
    let before = resident_kib(id);

    let mut streams = Vec::new();
    for nth in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The connections send nothing, half a request, a whole request, or only an HTTP/2 preface.
        let beginning: &[u8] = match nth % 4 {
            0 => b"",
            1 => b"GET /openapi/v1/_health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ",
            2 => b"GET /openapi/v1/_health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
            _ => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        };
        let _ = stream.write_all(beginning).await;
        streams.push(stream);
    }
    for _ in 0..10 {
        assert!(health(address).await.starts_with("HTTP/1.1 200"));
        time::sleep(Duration::from_millis(100)).await;
    }
    let grown = resident_kib(id).saturating_sub(before);
    assert!(grown < CONNECTIONS * MAX_KIB_PER_CONNECTION, "{} KiB for a connection", grown / CONNECTIONS);
    drop(streams);
    assert!(health(address).await.starts_with("HTTP/1.1 200"));
}
