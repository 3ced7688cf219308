//! A fake of Dify's service API with responses by the test and a record of its requests.

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

/// The default task id.
pub const TASK_ID: &str = "6f1f7c1e-52a5-4b42-9b05-0a7f2f3b9d10";

/// A request that the fake received.
#[derive(Clone, Debug)]
pub struct Call {
    /// The path and the query.
    pub path: String,
    /// The bearer token.
    pub key: String,
    /// The trace context.
    pub traceparent: String,
    /// The text of a body that is not JSON; null for one that broke off.
    pub body: Value,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;
type Handler = dyn Fn(Call) -> ResponseFuture + Send + Sync;

/// The fake; it stops when it is dropped.
pub struct FakeDify {
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
    /// A fake that responds to runs with `handler`, and to every stop with success.
    pub async fn start<F>(handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self::serve(Arc::new(move |call| {
            if call.path.ends_with("/stop") {
                return Box::pin(async { axum::Json(json!({"result": "success"})).into_response() });
            }
            Box::pin(handler(call))
        }))
        .await
    }

    /// A fake that responds to runs and to stops with `handler`.
    pub async fn start_with_stops<F>(handler: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        Self::serve(Arc::new(move |call| Box::pin(handler(call)))).await
    }

    async fn serve(handler: Arc<Handler>) -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let received = Arc::clone(&calls);
        let app = Router::new().fallback(move |request: Request| {
            let (handler, received) = (Arc::clone(&handler), Arc::clone(&received));
            async move {
                let call = read(request).await;
                received.lock().push(call.clone());
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

    /// A fake that responds to every run with these frames.
    pub async fn sending(frames: &[Value]) -> Self {
        let frames: Vec<String> = frames.iter().map(frame).collect();
        Self::start(move |_| {
            let frames = frames.clone();
            async move { events(frames) }
        })
        .await
    }

    /// The received requests to run.
    pub fn runs(&self) -> Vec<Call> {
        self.calls.lock().iter().filter(|call| !call.path.ends_with("/stop")).cloned().collect()
    }

    /// The number of accepted connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until so many runs were requested.
    pub async fn wait_for_runs(&self, times: usize) {
        for _ in 0..500 {
            if self.runs().len() >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} runs were requested, not {times}", self.runs().len());
    }

    /// Waits for a stop request, and then long enough for a second one to arrive. Returns all of them.
    pub async fn wait_for_stop(&self) -> Vec<Call> {
        self.wait_for_stops(1).await
    }

    /// Like `wait_for_stop`, for so many stop requests.
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

    /// Waits a moment and returns whether there was no stop request.
    pub async fn received_no_stop(&self) -> bool {
        tokio::time::sleep(Duration::from_millis(150)).await;
        !self.calls.lock().iter().any(|call| call.path.ends_with("/stop"))
    }
}

/// An address whose connections time out, because the queue of its listener is full.
pub struct UnacceptingListener {
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
            assert!(queue.len() < 64, "the queue never fills");
        }
        Self { url: format!("http://{address}"), _listener: listener, _queue: queue }
    }
}

async fn read(request: Request) -> Call {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await;
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    Call {
        path: parts.uri.to_string(),
        key: header("authorization").trim_start_matches("Bearer ").to_owned(),
        traceparent: header("traceparent"),
        body: bytes.map_or(Value::Null, |bytes| {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into())
        }),
    }
}

/// An event as Dify writes it.
pub fn frame(event: &Value) -> String {
    format!("data: {event}\n\n")
}

/// A response that streams these frames and ends.
pub fn events(frames: impl IntoIterator<Item = String, IntoIter: Send + 'static>) -> Response {
    streaming(stream::iter(frames.into_iter().map(|frame| Ok::<_, Infallible>(Bytes::from(frame)))))
}

/// A response that streams these frames and stays open.
pub fn open_events(frames: Vec<String>) -> Response {
    let frames = stream::iter(frames.into_iter().map(|frame| Ok::<_, Infallible>(Bytes::from(frame))));
    streaming(frames.chain(stream::pending()))
}

/// A response that streams these frames and is interrupted.
pub fn cut_events(frames: Vec<String>) -> Response {
    let frames = stream::iter(frames.into_iter().map(|frame| Ok(Bytes::from(frame))));
    // Late enough for the frames to be sent.
    let cut = stream::once(async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(io::Error::other("cut"))
    });
    streaming(frames.chain(cut))
}

/// A response with any stream.
pub fn streaming<E>(pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Response
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    Response::builder()
        .header("content-type", "text/event-stream; charset=utf-8")
        .body(Body::from_stream(pieces))
        .unwrap()
}

/// An error response.
pub fn error_response(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", content_type).body(body.into()).unwrap()
}
