//! Input that nobody honest sends: a clear refusal through either door, never a failure of ours, never a hang.

mod bodies;
mod connections;
mod grpc;
mod http2;
mod requests;
mod slow_bodies;
mod values;

use std::{fmt::Write as _, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use crate::support::TestServer;

/// Limits are not what this is about.
const NO_LIMITS: &str = "device_code=0,device_token=0,lookup=0,unknown_bearer=0,user_code=0,approve=0,account=0,revoke=0,refresh=0,login=0,token=0";
/// Longer than anything here may take.
const TIMEOUT: Duration = Duration::from_secs(8);
/// What stands in hostile input and must never come back, or be written down.
const MARKER: &str = "hunter2-of-the-hostile-tests";

/// Sends bytes as they are over a connection of their own, and gives what comes back until the server closes it.
async fn raw(server: &TestServer, bytes: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(server.running().bound.public).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let (mut answer, bytes) = (Vec::new(), bytes.to_vec());
    // The server may close before it has read everything; what it had to say is there all the same.
    let sending = tokio::spawn(async move {
        let _ = to.write_all(&bytes).await;
        to
    });
    let read = time::timeout(TIMEOUT, from.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the server lets the connection hang");
    sending.abort();
    answer
}

/// The status of one HTTP/1.1 request: the request line, headers without an end of line, and the body.
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

/// The status of a raw answer.
fn status_of(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    status.unwrap_or_else(|| panic!("no answer: {text:.200?}"))
}

/// Every byte as `%XX`.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let _ = write!(encoded, "%{byte:02X}");
        encoded
    })
}

/// The server still serves.
async fn assert_serves(server: &TestServer) {
    assert_eq!(status(server, "GET /openapi/v1/_health HTTP/1.1", &[], b"").await, 200);
}
