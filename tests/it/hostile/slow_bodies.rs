//! Bodies that never end or arrive one byte per second: the server responds within a time limit.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use super::{assert_serves, http2, status_of};
use crate::support::{Stores, TestServer};

/// Longer than the server's longest body timeout, which is that of gRPC messages.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Sends `beginning` and then `drip` every second until the server closes. Returns the response and the time that it
/// took.
async fn send_slowly(server: &TestServer, beginning: &[u8], drip: &[u8]) -> (Vec<u8>, Duration) {
    let began = Instant::now();
    let (mut from, mut to) = TcpStream::connect(server.running().bound.public).await.unwrap().into_split();
    to.write_all(beginning).await.unwrap();
    let drip = drip.to_vec();
    let dripping = tokio::spawn(async move {
        loop {
            time::sleep(Duration::from_secs(1)).await;
            if to.write_all(&drip).await.is_err() {
                break;
            }
        }
        to
    });
    let mut answer = Vec::new();
    let read = time::timeout(TIMEOUT, from.read_to_end(&mut answer)).await;
    dripping.abort();
    assert!(read.is_ok(), "the server responds in time");
    (answer, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_body_returns_400_after_a_timeout() {
    let server = TestServer::start(Stores::Sqlite).await;
    let head = |path: &str, kind: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\ncontent-length: 60\r\n\r\n")
    };
    let chunked = "POST /openapi/v1/oauth/device/code HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                   transfer-encoding: chunked\r\n\r\n";
    let cases = [
        (head("/openapi/v1/oauth/device/code", "application/json"), " "),
        (head("/openapi/v1/oauth/device/token", "application/x-www-form-urlencoded"), "a"),
        (head("/console/api/login", "application/json"), " "),
        (head("/signin", "application/x-www-form-urlencoded"), "a"),
        (chunked.to_owned(), "1\r\n \r\n"),
    ];
    let answers = cases.iter().map(|(head, drip)| send_slowly(&server, head.as_bytes(), drip.as_bytes()));
    for (answer, took) in futures_util::future::join_all(answers).await {
        assert_eq!(status_of(&answer), 400);
        assert!(took > Duration::from_secs(5), "the timeout is longer");
    }
    assert_serves(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_message_ends_the_call_after_a_timeout() {
    let server = TestServer::start(Stores::Sqlite).await;
    let waiting = [
        http2::call_without_message("/dify.openapi.v1.DeviceFlowService/CreateDeviceCode"),
        http2::call_without_message("/grpc.health.v1.Health/Check"),
        http2::call_without_message("/grpc.health.v1.Health/Watch"),
        http2::post_without_body("/openapi/v1/oauth/device/code"),
    ]
    .map(|hello| {
        let server = &server;
        async move {
            let began = Instant::now();
            let mut stream = TcpStream::connect(server.running().bound.public).await.unwrap();
            stream.write_all(&hello).await.unwrap();
            // The first HEADERS frame of the response.
            let mut answer = Vec::new();
            while !http2::has_headers(&answer) {
                assert!(began.elapsed() < TIMEOUT, "the server responds in time");
                let mut some = [0; 1_024];
                let read = time::timeout(TIMEOUT, stream.read(&mut some)).await.unwrap().unwrap();
                assert!(read > 0, "the server keeps the connection");
                answer.extend_from_slice(&some[..read]);
            }
        }
    });
    futures_util::future::join_all(waiting).await;
    assert_serves(&server).await;
}
