//! Hostile input over JSON and gRPC: the response is a client error, never a server error, and no request hangs.

mod bodies;
mod connections;
mod grpc;
mod http2;
mod requests;
mod slow_bodies;
mod unfinished_bodies;
mod values;

use std::{fmt::Write as _, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use crate::support::TestServer;

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(8);
/// A marker in hostile input that must never appear in a response or a log.
const MARKER: &str = "hunter2-of-the-hostile-tests";

/// Sends raw bytes over a new connection and returns everything that the server sends until it closes.
async fn raw(server: &TestServer, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(server.running().bound.public).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let (mut answer, bytes) = (Vec::new(), bytes.to_vec());
    // The server may close before it has read everything; its response arrives nevertheless.
    let sending = tokio::spawn(async move {
        let _ = to.write_all(&bytes).await;
        to
    });
    let read = time::timeout(TIMEOUT, from.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server closes the connection in time");
    sending.abort();
    answer
}

/// The status of one HTTP/1.1 request. `headers` have no line ends.
async fn status(server: &TestServer, line: &str, headers: &[&[u8]], body: &[u8]) -> u16 {
    let mut request = format!("{line}\r\nhost: 127.0.0.1\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    status_of(&raw(server, &request).await)
}

/// The status of a raw response.
fn status_of(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    status.unwrap_or_else(|| panic!("no HTTP response: {text:.200?}"))
}

/// Percent-encodes every byte.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

/// Checks that the server still responds.
async fn assert_serves(server: &TestServer) {
    assert_eq!(status(server, "GET /openapi/v1/_health HTTP/1.1", &[], b"").await, 200);
}
