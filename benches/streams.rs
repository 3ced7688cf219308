//! The client side of the load table's streams, and the upstream that forwarding is measured against.
//!
//!     streams first-byte URL TOKEN BODY CONNECTIONS SECONDS   time to the first byte of a run's stream, back to back
//!     streams concurrent URL TOKEN BODY STREAMS PACE_MS       that many streams at once; how late events come
//!     streams upstream PORT [faulty]                          a fake of Dify's service API and of a model
//!                                                             endpoint, with faults on request
//!
//! Prints one line of JSON.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, response::Response, routing::post, serve::ListenerExt as _};
use futures_util::{StreamExt as _, stream};
use reqwest::{Client, RequestBuilder};
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["first-byte", url, token, body, connections, seconds] => {
            let run = Run::new(url, token, body)?;
            first_byte(run, connections.parse()?, Duration::from_secs(seconds.parse()?)).await
        }
        ["concurrent", url, token, body, streams, pace] => {
            let run = Run::new(url, token, body)?;
            concurrent(run, streams.parse()?, Duration::from_millis(pace.parse()?)).await
        }
        ["upstream", port] => upstream(port.parse()?, false).await,
        ["upstream", port, "faulty"] => upstream(port.parse()?, true).await,
        _ => Err("see the words at the top of benches/streams.rs".into()),
    }
}

/// A run that is posted repeatedly.
#[derive(Clone)]
struct Run {
    client: Client,
    url: Arc<str>,
    token: Arc<str>,
    body: Arc<str>,
}

impl Run {
    fn new(url: &str, token: &str, body: &str) -> Outcome<Self> {
        let client = dify_openapi::testing::http_client::HttpClients::default().for_other_servers()?.build()?;
        Ok(Self { client, url: url.into(), token: token.into(), body: body.into() })
    }

    fn request(&self) -> RequestBuilder {
        self.client
            .post(&*self.url)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(self.body.to_string())
    }
}

/// Each connection starts a run, reads its stream to the end, and starts the next one.
async fn first_byte(run: Run, connections: usize, duration: Duration) -> Outcome<()> {
    let until = Instant::now() + duration;
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let run = run.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut errors = 0;
            while Instant::now() < until {
                let began = Instant::now();
                let Ok(mut response) = run.request().send().await else {
                    errors += 1;
                    continue;
                };
                if !response.status().is_success() || !matches!(response.chunk().await, Ok(Some(_))) {
                    errors += 1;
                    continue;
                }
                times.push(began.elapsed());
                while let Ok(Some(_)) = response.chunk().await {}
            }
            (times, errors)
        });
    }
    let (mut times, mut errors) = (Vec::new(), 0);
    while let Some(joined) = tasks.join_next().await {
        let (some, failed) = joined?;
        times.extend(some);
        errors += failed;
    }
    print(&mut times, errors);
    Ok(())
}

/// The delay of an event is the time since the previous one minus the pace.
async fn concurrent(run: Run, streams: usize, pace: Duration) -> Outcome<()> {
    let mut tasks = JoinSet::new();
    for index in 0..streams {
        let run = run.clone();
        tasks.spawn(async move {
            // Spreads the connections, because a thousand simultaneous handshakes are not measured here.
            tokio::time::sleep(Duration::from_millis(index as u64 * 2)).await;
            let mut late = Vec::new();
            let Ok(response) = run.request().send().await else { return (late, 1) };
            let failed = u32::from(!response.status().is_success());
            let mut chunks = response.bytes_stream();
            let mut last = None::<Instant>;
            while let Some(Ok(_)) = chunks.next().await {
                let now = Instant::now();
                late.extend(last.map(|last| (now - last).saturating_sub(pace)));
                last = Some(now);
            }
            (late, failed)
        });
    }
    let (mut times, mut errors) = (Vec::new(), 0);
    while let Some(joined) = tasks.join_next().await {
        let (some, failed) = joined?;
        times.extend(some);
        errors += failed;
    }
    print(&mut times, errors);
    Ok(())
}

fn print(times: &mut [Duration], errors: u32) {
    times.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "the rank is small"
        )]
        let rank = (times.len() as f64 * share) as usize;
        times.get(rank.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        r#"{{"count":{},"errors":{errors},"p50":{:.3},"p99":{:.3},"max":{:.3}}}"#,
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// The events of Dify's service API for a chat.
const CHAT: [&str; 3] = [
    concat!(
        r#"{"event":"message","task_id":"5c9a6b8e-0000-4000-8000-000000000001","message_id":"m","#,
        r#""conversation_id":"c","answer":"Hello"}"#
    ),
    concat!(
        r#"{"event":"message","task_id":"5c9a6b8e-0000-4000-8000-000000000001","message_id":"m","#,
        r#""conversation_id":"c","answer":" there"}"#
    ),
    concat!(
        r#"{"event":"message_end","task_id":"5c9a6b8e-0000-4000-8000-000000000001","message_id":"m","#,
        r#""conversation_id":"c","metadata":{}}"#
    ),
];

/// The events of a model endpoint.
const COMPLETION: [&str; 3] = [
    concat!(
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","#,
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}"#
    ),
    concat!(
        r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","#,
        r#""choices":[{"index":0,"delta":{"content":" there"},"finish_reason":"stop"}]}"#
    ),
    "[DONE]",
];

/// Returns three events at once. With `faulty`, every fourth response is an error and every fourth one breaks off after
/// the first event.
async fn upstream(port: u16, faulty: bool) -> Outcome<()> {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let answer = move |events: [&'static str; 3]| async move {
        let turn = if faulty { TURN.fetch_add(1, Ordering::Relaxed) % 4 } else { 0 };
        if turn == 1 {
            return Response::builder().status(500).body(Body::from("{}")).unwrap_or_default();
        }
        let frames = events.into_iter().enumerate().map(move |(index, event)| {
            if turn == 2 && index > 0 { Err("the line broke") } else { Ok(format!("data: {event}\n\n")) }
        });
        let body = Body::from_stream(stream::iter(frames));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap_or_default()
    };
    let router = Router::new()
        .route("/v1/chat-messages", post(move || answer(CHAT)))
        .route("/v1/chat/completions", post(move || answer(COMPLETION)));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener.tap_io(|socket| _ = socket.set_nodelay(true)), router).await?;
    Ok(())
}
