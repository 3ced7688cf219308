//! Handwritten HTTP/2 frames.

use super::{assert_serves, raw};
use crate::support::{Stores, TestServer};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of `GET /openapi/v1/_health`, from HPACK's static table and literals.
fn get_health() -> Vec<u8> {
    let path = b"/openapi/v1/_health";
    [&[0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()], &path[..], &[0x01, 1, b'x']].concat()
}

/// A literal header; name and value must be shorter than 127 bytes.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).unwrap();
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

/// A connection with a request whose body is never sent.
fn post(path: &str, kind: &str) -> Vec<u8> {
    let headers = [
        &[0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()],
        path.as_bytes(),
        &[0x01, 9],
        b"127.0.0.1",
        &literal("content-type", kind),
        &literal("te", "trailers"),
    ]
    .concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &headers)].concat()
}

pub fn call_without_message(path: &str) -> Vec<u8> {
    post(path, "application/grpc")
}

pub fn post_without_body(path: &str) -> Vec<u8> {
    post(path, "application/json")
}

/// Whether a HEADERS frame is among the frames.
pub fn has_headers(answer: &[u8]) -> bool {
    let mut rest = answer;
    while let Some((head, after)) = rest.split_at_checked(9) {
        if head[3] == HEADERS {
            return true;
        }
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        rest = after.get(length..).unwrap_or_default();
    }
    false
}

/// Sends frames after the preface and returns the error code of the server's GOAWAY.
async fn end_of(server: &TestServer, frames: &[Vec<u8>]) -> Option<u32> {
    let sent = [PREFACE, &frame(SETTINGS, 0, 0, &[]), &frames.concat()].concat();
    let answer = raw(server, &sent).await;
    let mut rest = answer.as_slice();
    let mut code = None;
    while let Some((head, after)) = rest.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, after)) = after.split_at_checked(length) else { break };
        if head[3] == GOAWAY {
            code = payload.get(4..8).map(|bytes| u32::from_be_bytes(bytes.try_into().unwrap()));
        }
        rest = after;
    }
    code
}

on_both_stores!(
    rapid_stream_resets_end_the_connection,
    endless_continuation_frames_end_the_connection,
    malformed_frames_end_the_connection
);

async fn rapid_stream_resets_end_the_connection(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut frames = Vec::new();
    for nth in 0..2_000 {
        let stream = 2 * nth + 1;
        frames.push(frame(HEADERS, END_STREAM | END_HEADERS, stream, &get_health()));
        frames.push(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    assert_eq!(end_of(&server, &frames).await, Some(11), "ENHANCE_YOUR_CALM");
    assert_serves(&server).await;
}

async fn endless_continuation_frames_end_the_connection(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, &get_health())];
    // Repeats a literal header of two bytes.
    frames.extend((0..2_000).map(|_| frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(200))));
    assert!(end_of(&server, &frames).await.is_some_and(|code| code != 0));
    assert_serves(&server).await;
}

async fn malformed_frames_end_the_connection(stores: Stores) {
    let server = TestServer::start(stores).await;
    for (what, frames) in [
        ("headers of stream 0", frame(HEADERS, END_STREAM | END_HEADERS, 0, &get_health())),
        ("an even stream id", frame(HEADERS, END_STREAM | END_HEADERS, 2, &get_health())),
        ("headers that do not decode", frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 64])),
        ("half a setting", frame(SETTINGS, 0, 0, &[0, 1, 2])),
        ("a frame larger than allowed", frame(0, 0, 1, &vec![0; 20_000])),
        ("a reset of an idle stream", frame(RST_STREAM, 0, 9, &[0, 0, 0, 8])),
        ("a continuation without headers", frame(CONTINUATION, END_HEADERS, 1, &get_health())),
    ] {
        assert!(end_of(&server, &[frames]).await.is_some_and(|code| code != 0), "{what}");
    }
    assert_serves(&server).await;
}
