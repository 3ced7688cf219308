//! HTTP/2 as attackers speak it: many unfinished streams, and frames written by hand.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time,
};

use crate::attacker::Attacker;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
/// How long an unfinished request stays open after its body.
const HOLD: Duration = Duration::from_mins(1);

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of `GET /openapi/v1/_health`, from HPACK's static table and literals.
pub fn get_health() -> Vec<u8> {
    let path = b"/openapi/v1/_health";
    [&[0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()], &path[..], &[0x01, 9], b"127.0.0.1"].concat()
}

/// Repeats frames on a connection until the server closes it. Reads nothing but what keeps it open.
pub async fn flood(attacker: &Attacker, frames: Vec<u8>) {
    let Ok(stream) = attacker.connect().await else { return attacker.outcomes.record_end("closed") };
    let (mut from, mut to) = stream.into_split();
    attacker.spawn(async move {
        let mut answer = [0; 4_096];
        while from.read(&mut answer).await.is_ok_and(|length| length > 0) {}
    });
    if to.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.is_ok() {
        while to.write_all(&frames).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    attacker.outcomes.record_end("closed");
}

/// A request over HTTP/2.
#[derive(Clone)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Whether the body ends.
    pub is_complete: bool,
    /// Whether the answer is read.
    pub reads: bool,
}

impl Post {
    /// A request with a beginning of a JSON body.
    pub fn unfinished(path: &str, body: Bytes) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { path: path.to_owned(), headers, body, is_complete: false, reads: true }
    }

    pub fn complete(path: &str, media_type: &str, body: Bytes) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self { headers, is_complete: true, ..Self::unfinished(path, body) }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn is_grpc(&self) -> bool {
        self.headers.contains(&("content-type", "application/grpc".to_owned()))
    }
}

/// Opens a connection with as many streams of the same request, each once.
pub async fn open_streams(attacker: &Attacker, from: IpAddr, count: usize, post: &Post) {
    let Ok(stream) = attacker.connect_from(from).await else { return attacker.outcomes.record_end("closed") };
    let mut builder = h2::client::Builder::new();
    if !post.reads {
        builder.initial_window_size(0);
    }
    let Ok((sender, connection)) = builder.handshake::<_, Bytes>(stream).await else {
        return attacker.outcomes.record_end("closed");
    };
    attacker.spawn(async move { _ = connection.await });
    for _ in 0..count {
        let (attacker, sender, post) = (attacker.clone(), sender.clone(), post.clone());
        attacker.clone().spawn(async move {
            if let Err(error) = send(&attacker, sender, post).await {
                let reason = error.reason().map_or("closed".to_owned(), |reason| format!("{reason:?}"));
                attacker.outcomes.record_end(&reason);
            }
        });
    }
}

async fn send(attacker: &Attacker, sender: SendRequest<Bytes>, post: Post) -> Result<(), h2::Error> {
    let mut sender = sender.ready().await?;
    let mut request = Request::post(format!("http://{}{}", attacker.server, post.path));
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let (response, mut stream) = sender.send_request(request.body(()).unwrap(), false)?;
    // A server that has refused the request closes the stream for sending.
    let sent = stream.send_data(post.body.clone(), post.is_complete);
    let response = response.await?;
    let (head, mut body) = response.into_parts();
    if !post.reads {
        attacker.outcomes.record_end(&format!("{} unread", head.status.as_u16()));
        time::sleep(HOLD).await;
        return Ok(());
    }
    let mut bytes = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        let _ = body.flow_control().release_capacity(piece.len());
        bytes.extend_from_slice(&piece);
    }
    if post.is_grpc() {
        let trailers: Option<HeaderMap> = body.trailers().await?;
        attacker.outcomes.record_grpc(trailers.as_ref().unwrap_or(&head.headers));
    } else {
        attacker.outcomes.record(head.status.as_u16(), &head.headers, &bytes);
    }
    drop(sent);
    Ok(())
}
