//! A server in place of Dify's service API, which behaves as a test says and remembers what it was asked.

use std::{
    convert::Infallible,
    future::{Future, IntoFuture as _},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    response::{IntoResponse as _, Response},
    serve::ListenerExt as _,
};
use futures_util::{Stream, StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// The id its tasks have unless a test says otherwise.
pub const TASK_ID: &str = "6f1f7c1e-52a5-4b42-9b05-0a7f2f3b9d10";

/// Something it was asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// Path and query.
    pub path: String,
    /// What stood after `Bearer `.
    pub key: String,
    /// The body.
    pub body: Value,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;
type Handler = dyn Fn(Call) -> ResponseFuture + Send + Sync;

/// The server; it ends with the test.
pub struct FakeDify {
    /// Its base URL.
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    connections: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Drop for FakeDify {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl FakeDify {
    /// A server that answers runs in this way, and every stop with success.
    pub async fn start<F>(handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let handler: Arc<Handler> = Arc::new(move |call| Box::pin(handler(call)));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let seen = Arc::clone(&calls);
        let app = Router::new().fallback(move |request: Request| {
            let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
            async move {
                let call = read(request).await;
                seen.lock().push(call.clone());
                if call.path.ends_with("/stop") {
                    return axum::Json(json!({"result": "success"})).into_response();
                }
                handler(call).await
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let (stopped, counted) = (stop.clone(), Arc::clone(&connections));
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                served = axum::serve(listener, app).into_future() => served.unwrap(),
            }
        });
        Self { url, calls, connections, stop }
    }

    /// One that answers every run with these frames.
    pub async fn sending(frames: &[Value]) -> Self {
        let frames: Vec<String> = frames.iter().map(frame).collect();
        Self::start(move |_| {
            let frames = frames.clone();
            async move { events(frames) }
        })
        .await
    }

    /// The runs it was asked for.
    pub fn runs(&self) -> Vec<Call> {
        self.calls.lock().iter().filter(|call| !call.path.ends_with("/stop")).cloned().collect()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until it was asked for so many runs.
    pub async fn wait_for_runs(&self, times: usize) {
        for _ in 0..500 {
            if self.runs().len() >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was asked for {} runs, not {times}", self.runs().len());
    }

    /// The stops it was asked for, once there is one, and time enough for another to follow.
    pub async fn wait_for_stop(&self) -> Vec<Call> {
        self.wait_for_stops(1).await
    }

    /// The same once there are so many.
    pub async fn wait_for_stops(&self, times: usize) -> Vec<Call> {
        let stops =
            || self.calls.lock().iter().filter(|call| call.path.ends_with("/stop")).cloned().collect::<Vec<_>>();
        for _ in 0..500 {
            if stops().len() >= times {
                tokio::time::sleep(Duration::from_millis(100)).await;
                return stops();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} runs were stopped, not {times}", stops().len());
    }

    /// Whether nothing was stopped, some time after a run was over.
    pub async fn received_no_stop(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(150)).await;
        !self.calls.lock().iter().any(|call| call.path.ends_with("/stop"))
    }
}

/// An address where connections are neither made nor refused: the queue of its listener is full.
pub struct UnacceptingListener {
    /// Its base URL.
    pub url: String,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl UnacceptingListener {
    /// Fills the queue.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(made) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queue.push(made.unwrap());
            assert!(queue.len() < 64, "a queue of one takes everybody");
        }
        Self { url: format!("http://{address}"), _listener: listener, _queue: queue }
    }
}

async fn read(request: Request) -> Call {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    Call {
        path: parts.uri.to_string(),
        key: header("authorization").trim_start_matches("Bearer ").to_owned(),
        body: serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap(),
    }
}

/// A frame as Dify writes it.
pub fn frame(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// An answer that streams these frames and ends.
pub fn events(frames: impl IntoIterator<Item = String, IntoIter: Send + 'static>) -> Response {
    streaming(stream::iter(frames.into_iter().map(|frame| Ok::<_, Infallible>(Bytes::from(frame)))))
}

/// An answer that streams these frames and then stays open.
pub fn open_events(frames: Vec<String>) -> Response {
    let frames = stream::iter(frames.into_iter().map(|frame| Ok::<_, Infallible>(Bytes::from(frame))));
    streaming(frames.chain(stream::pending()))
}

/// An answer that streams these frames and is then cut off.
pub fn cut_events(frames: Vec<String>) -> Response {
    let frames = stream::iter(frames.into_iter().map(|frame| Ok(Bytes::from(frame))));
    // So late that what came before has been sent.
    let cut = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::other("cut"))
    });
    streaming(frames.chain(cut))
}

/// An answer with a stream of its own.
pub fn streaming<E>(pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Response
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    Response::builder()
        .header("content-type", "text/event-stream; charset=utf-8")
        .body(Body::from_stream(pieces))
        .unwrap()
}

/// An answer that refuses.
pub fn error_response(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap()
}
