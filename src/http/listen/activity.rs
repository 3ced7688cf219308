//! When a connection last did something. The listener closes idle and stalled connections by it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

/// Frames without content, and without progress, in [`FLOOD_WINDOW`] that make a flood. Clients send one ping every few
/// seconds, and one or two frames for each part of a response that they read.
const MAX_FRAMES: usize = 1_000;
const FLOOD_WINDOW: Duration = Duration::from_secs(10);

/// The activity of one connection. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct ConnectionActivity(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    /// Whether the HTTP version is known. From then on hyper's own timers apply.
    version_known: AtomicBool,
    is_http2: AtomicBool,
    opened_at: Instant,
    /// Milliseconds between the opening and the latest request; 0 before the first.
    last_request_ms: AtomicU64,
    /// Milliseconds between the opening and the latest frame of a response; 0 before the first.
    last_response_ms: AtomicU64,
    /// Requests whose response has not begun.
    requests_in_flight: AtomicUsize,
    /// Frames of HTTP/2 without content since the latest progress, or in the latest window.
    frames: AtomicUsize,
    /// Milliseconds between the opening and the beginning of that window.
    frames_since_ms: AtomicU64,
    /// Whether the latest request has a body that was not read to its end.
    has_unread_body: AtomicBool,
}

impl ConnectionActivity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Counters {
            version_known: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            opened_at: Instant::now(),
            last_request_ms: AtomicU64::new(0),
            last_response_ms: AtomicU64::new(0),
            requests_in_flight: AtomicUsize::new(0),
            frames: AtomicUsize::new(0),
            frames_since_ms: AtomicU64::new(0),
            has_unread_body: AtomicBool::new(false),
        }))
    }

    pub(super) fn set_version_known(&self, is_http2: bool) {
        self.0.is_http2.store(is_http2, Ordering::Relaxed);
        self.0.version_known.store(true, Ordering::Relaxed);
    }

    /// Whether what is read from now on is frames of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.0.is_http2.load(Ordering::Relaxed)
    }

    /// Adds frames of HTTP/2 without content.
    pub(super) fn add_frames(&self, count: usize) {
        let counters = &*self.0;
        if self.since(&counters.frames_since_ms) >= FLOOD_WINDOW {
            self.record(&counters.frames_since_ms);
            counters.frames.store(0, Ordering::Relaxed);
        }
        counters.frames.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn is_flooded(&self) -> bool {
        self.0.frames.load(Ordering::Relaxed) > MAX_FRAMES
    }

    /// A request has begun, or a part of a body has been read or sent.
    fn set_progress(&self) {
        self.0.frames.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_version_known(&self) -> bool {
        self.0.version_known.load(Ordering::Relaxed)
    }

    /// Whether at least one request has arrived.
    pub(super) fn has_requests(&self) -> bool {
        self.0.last_request_ms.load(Ordering::Relaxed) > 0
    }

    /// Records a request. It is in flight until the guard is dropped.
    pub(super) fn begin_request(&self) -> RequestGuard {
        self.record(&self.0.last_request_ms);
        self.set_progress();
        self.0.requests_in_flight.fetch_add(1, Ordering::Relaxed);
        RequestGuard(self.clone())
    }

    /// Time since the latest request, or since the opening.
    pub(super) fn idle_for(&self) -> Duration {
        self.since(&self.0.last_request_ms)
    }

    /// Time since the latest request or frame of a response; zero while a request is in flight.
    pub(super) fn stalled_for(&self) -> Duration {
        if self.0.requests_in_flight.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.idle_for().min(self.since(&self.0.last_response_ms))
    }

    /// Whether the client may still be sending the body of the latest request, which nothing reads any more.
    pub(super) fn has_unread_body(&self) -> bool {
        self.0.has_unread_body.load(Ordering::Relaxed)
    }

    pub(super) fn set_unread_body(&self, is_unread: bool) {
        self.0.has_unread_body.store(is_unread, Ordering::Relaxed);
    }

    fn record(&self, event: &AtomicU64) {
        let now = u64::try_from(self.0.opened_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        event.store(now.max(1), Ordering::Relaxed);
    }

    fn since(&self, event: &AtomicU64) -> Duration {
        self.0.opened_at.elapsed().saturating_sub(Duration::from_millis(event.load(Ordering::Relaxed)))
    }
}

/// Marks a request as in flight.
pub(super) struct RequestGuard(ConnectionActivity);

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.record(&self.0.0.last_response_ms);
        self.0.0.requests_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request body that records when it was read to its end.
pub(super) struct ObservedRequestBody {
    body: Incoming,
    activity: ConnectionActivity,
}

impl ObservedRequestBody {
    pub(super) fn new(body: Incoming, activity: ConnectionActivity) -> Self {
        Self { body, activity }
    }
}

impl http_body::Body for ObservedRequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(&frame, Poll::Ready(Some(Ok(part))) if part.data_ref().is_none_or(|data| !data.is_empty())) {
            self.activity.set_progress();
        }
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.activity.set_unread_body(false);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response body that records when hyper polls it. hyper polls only when the peer has room for another frame.
pub(super) struct ObservedBody {
    body: Body,
    activity: ConnectionActivity,
}

impl ObservedBody {
    pub(super) fn new(body: Body, activity: ConnectionActivity) -> Self {
        Self { body, activity }
    }
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.activity.record(&self.activity.0.last_response_ms);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.activity.set_progress();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
