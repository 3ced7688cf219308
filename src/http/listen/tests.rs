mod frames;
mod tls;

use std::time::Instant;

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    task::JoinHandle,
};

use super::*;
use crate::http::client_address::TrustedProxies;

struct RunningListener {
    address: SocketAddr,
    soft: CancellationToken,
    hard: CancellationToken,
    /// A request to `/slow` has arrived.
    arrived: Arc<Notify>,
    /// Ends the request to `/slow`.
    release: Arc<Notify>,
    ended: JoinHandle<()>,
}

async fn start(options: ListenOptions) -> RunningListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrived_sender, release_receiver) = (Arc::clone(&arrived), Arc::clone(&release));
    let router = Router::new()
        .route("/peer", get(|Extension(PeerAddr(peer)): Extension<PeerAddr>| async move { peer.to_string() }))
        .route("/page", get(async || "x".repeat(5_000)))
        .route("/refuse", axum::routing::post(|| async { (http::StatusCode::PAYLOAD_TOO_LARGE, "too large") }))
        .route("/echo", axum::routing::post(|body: Bytes| async move { body }))
        .route(
            "/slow",
            get(move || async move {
                arrived_sender.notify_one();
                release_receiver.notified().await;
                "done"
            }),
        );
    let ended = tokio::spawn(serve(listener, RequestService::new(router), options, soft.clone(), hard.clone()));
    RunningListener { address, soft, hard, arrived, release, ended }
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until the server closes.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

async fn h2(address: SocketAddr) -> (http2::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn request(address: SocketAddr, path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://{address}{path}")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn one_port_serves_http1_and_http2_by_prior_knowledge() {
    let server = start(ListenOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    send(&mut stream, "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await;
    send(&mut stream, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("hello") && answer.ends_with(&own), "{answer}");

    let (mut sender, _) = h2(server.address).await;
    let response = sender.send_request(request(server.address, "/peer")).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert!(
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec())
            .unwrap()
            .starts_with("127.0.0.1:")
    );
}

#[tokio::test]
async fn connection_without_a_complete_header_is_closed_after_the_timeout() {
    let server = start(ListenOptions { header_timeout: Duration::from_millis(50), ..ListenOptions::default() }).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET /peer HTTP/1.1\r\nhost:"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let started = Instant::now();
        send(&mut stream, beginning).await;
        read_to_end(&mut stream).await;
        assert!(started.elapsed() >= Duration::from_millis(40), "{beginning:?} was cut off at once");
    }
}

#[tokio::test]
async fn slow_response_outlives_the_header_timeout() {
    let server = start(ListenOptions { header_timeout: Duration::from_millis(30), ..ListenOptions::default() }).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    send(&mut stream, "GET /slow HTTP/1.1\r\n\r\n").await;
    server.arrived.notified().await;
    // Another connection's whole timeout passes while the response waits.
    read_to_end(&mut TcpStream::connect(server.address).await.unwrap()).await;
    server.release.notify_one();
    assert!(read_to_end(&mut stream).await.ends_with("done"));
}

#[tokio::test]
async fn soft_shutdown_finishes_requests_and_refuses_connections() {
    let server = start(ListenOptions::default()).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.arrived.notified().await;
    let (mut sender, connection) = h2(server.address).await;
    let answer = tokio::spawn(sender.send_request(request(server.address, "/slow")));
    server.arrived.notified().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    send(&mut idle, "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();

    server.soft.cancel();
    // The idle connection ends while the busy ones continue.
    read_to_end(&mut idle).await;
    assert!(!server.ended.is_finished());
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.release.notify_one();
    server.release.notify_one();
    let text = read_to_end(&mut busy).await;
    assert!(text.contains("connection: close") && text.ends_with("done"), "{text}");
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    connection.await.unwrap().unwrap();
    server.ended.await.unwrap();
}

#[tokio::test]
async fn hard_shutdown_closes_open_connections() {
    let server = start(ListenOptions::default()).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.arrived.notified().await;
    server.soft.cancel();
    server.hard.cancel();
    server.ended.await.unwrap();
    assert_eq!(read_to_end(&mut busy).await, "");
}

#[tokio::test]
async fn connection_over_the_limit_waits() {
    let server = start(ListenOptions { max_connections: 1, ..ListenOptions::default() }).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    send(&mut first, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    server.arrived.notified().await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    send(&mut second, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let second = tokio::spawn(async move { read_to_end(&mut second).await });
    server.release.notify_one();
    assert!(read_to_end(&mut first).await.ends_with("done"));
    assert!(second.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bare_line_feed_in_a_head_returns_400() {
    let server = start(ListenOptions::default()).await;
    let valid = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na\nb";
    for head in [
        "GET /peer HTTP/1.1\nhost: x\r\n\r\n",
        "GET /peer HTTP/1.1\r\nhost: x\n\r\n",
        "GET /peer HTTP/1.1\r\nhost: x\r\nx: y\nz: a\r\n\r\n",
        "GET /peer HTTP/1.1\r\nhost: x\r\n\n",
        "GET /peer HTTP/1.1\nhost: x\n\n",
        "\nGET /peer HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        send(&mut stream, head).await;
        assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 400"), "{head:?}");
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        send(&mut stream, &format!("{valid}{head}")).await;
        let answers = read_to_end(&mut stream).await;
        assert!(answers.starts_with("HTTP/1.1 200") && answers.contains("a\nb"), "{head:?} {answers}");
        assert!(answers.contains("HTTP/1.1 400"), "{head:?} {answers}");
    }
}

#[tokio::test]
async fn connection_over_the_limit_of_its_network_is_closed() {
    let limited = ListenOptions { max_connections_per_network: 2, ..ListenOptions::default() };
    let server = start(limited.clone()).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        send(&mut stream, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        server.arrived.notified().await;
        open.push(stream);
    }
    let get = "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut over = TcpStream::connect(server.address).await.unwrap();
    let _ = over.write_all(get.as_bytes()).await;
    assert_eq!(read_to_end(&mut over).await, "");
    for stream in &mut open {
        server.release.notify_one();
        assert!(read_to_end(stream).await.ends_with("done"));
    }
    let mut again = TcpStream::connect(server.address).await.unwrap();
    send(&mut again, get).await;
    assert!(read_to_end(&mut again).await.starts_with("HTTP/1.1 200"));

    let trusted_proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let server = start(ListenOptions { trusted_proxies, ..limited }).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        send(&mut stream, get).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        assert!(read_to_end(stream).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn idle_connections_are_closed_when_the_limit_is_reached() {
    let server = start(ListenOptions { max_connections: 5, ..ListenOptions::default() }).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    server.arrived.notified().await;
    let mut others = Vec::new();
    for beginning in ["", "GET /peer HTTP/1.1\r\nhost:", "GET /peer HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        send(&mut stream, beginning).await;
        others.push(stream);
    }
    let (mut sender, connection) = h2(server.address).await;
    assert_eq!(sender.send_request(request(server.address, "/peer")).await.unwrap().status(), 200);

    let mut last = TcpStream::connect(server.address).await.unwrap();
    send(&mut last, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(read_to_end(&mut last).await.starts_with("HTTP/1.1 200"));
    for mut stream in others {
        read_to_end(&mut stream).await;
    }
    connection.await.unwrap().unwrap();
    server.release.notify_one();
    assert!(read_to_end(&mut busy).await.ends_with("done"), "a request in flight is answered");
}

#[tokio::test]
async fn connection_over_max_age_closes_after_its_requests() {
    let server = start(ListenOptions {
        header_timeout: Duration::from_millis(20),
        max_age: Duration::from_millis(200),
        ..ListenOptions::default()
    })
    .await;
    let (mut sender, connection) = h2(server.address).await;
    let answer = tokio::spawn(sender.send_request(request(server.address, "/slow")));
    server.arrived.notified().await;
    let started = Instant::now();
    // Until the server has sent `GOAWAY`.
    while sender.send_request(request(server.address, "/peer")).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(8), "the connection does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() > Duration::from_millis(100), "the connection expired at once");
    server.release.notify_one();
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    connection.await.unwrap().unwrap();
}

/// A connection whose peer accepts `window` bytes of a response and never opens the window, although it answers pings.
async fn unread(
    server: &RunningListener,
    window: u32,
) -> (http2::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request(server.address, "/page")).await.unwrap();
    assert_eq!(answer.status(), 200);
    // Dropping the response would reset the stream.
    tokio::spawn(async move {
        let _answer = answer;
        std::future::pending::<()>().await;
    });
    (sender, connection)
}

#[tokio::test]
async fn connections_with_unread_responses_are_closed_when_the_limit_is_reached() {
    for window in [0, 1] {
        let stall_timeout = Duration::from_millis(50);
        let server = start(ListenOptions { max_connections: 2, stall_timeout, ..ListenOptions::default() }).await;
        let mut busy = TcpStream::connect(server.address).await.unwrap();
        send(&mut busy, "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        server.arrived.notified().await;
        let (_sender, connection) = unread(&server, window).await;

        let mut last = TcpStream::connect(server.address).await.unwrap();
        send(&mut last, "GET /peer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(read_to_end(&mut last).await.starts_with("HTTP/1.1 200"), "window {window}");
        let _ = connection.await.unwrap();
        server.release.notify_one();
        assert!(read_to_end(&mut busy).await.ends_with("done"), "a request in flight is answered");
    }
}

#[tokio::test]
async fn connection_over_max_age_with_unread_responses_is_cut() {
    let server = start(ListenOptions {
        header_timeout: Duration::from_millis(20),
        max_age: Duration::from_millis(50),
        stall_timeout: Duration::from_millis(20),
        ..ListenOptions::default()
    })
    .await;
    let (_sender, connection) = unread(&server, 1).await;
    let _ = connection.await.unwrap();
}

#[tokio::test]
async fn header_over_the_limit_is_rejected() {
    let server = start(ListenOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let long = "x".repeat(40 * 1024);
    let _ = stream.write_all(format!("GET /peer HTTP/1.1\r\nlong: {long}\r\n\r\n").as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

/// The head of a request that is refused, with a body of this length.
fn refused_head(length: usize) -> String {
    format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test]
async fn client_that_sends_everything_first_reads_the_refusal_of_a_large_body() {
    let server = start(ListenOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let length = 12_000_000;
    send(&mut stream, &refused_head(length)).await;
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too large"), "{answer}");
}

#[tokio::test]
async fn client_that_sends_without_end_is_disconnected() {
    let server = start(ListenOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    send(&mut stream, &refused_head(1 << 40)).await;
    let (mut from, mut to) = stream.split();
    let read = async {
        let mut answer = [0; 13];
        from.read_exact(&mut answer).await.unwrap();
        answer
    };
    let sent = async {
        let piece = vec![b'x'; 1 << 20];
        // More than is discarded, and than the buffers of both sides hold.
        for _ in 0..256 {
            if to.write_all(&piece).await.is_err() {
                return true;
            }
        }
        false
    };
    let (answer, is_disconnected) = tokio::join!(read, sent);
    assert_eq!((&answer, is_disconnected), (b"HTTP/1.1 413 ", true));
}
