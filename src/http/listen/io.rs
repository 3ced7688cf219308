//! A stream that remembers whether enough came in to know which HTTP version it speaks, and how far a connection has come.

use std::{
    io::{IoSlice, Result as IoResult},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};

/// The first bytes of HTTP/2; whatever differs is HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How far a connection has come. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Steps>);

#[derive(Debug)]
struct Steps {
    /// Set once the version is known, and hyper's own timers take over.
    begun: AtomicBool,
    since: Instant,
    /// Milliseconds between the connection's beginning and its latest request; 0 before the first.
    latest: AtomicU64,
    /// The same of the latest piece of an answer that the peer had room for.
    moved: AtomicU64,
    /// Requests whose answer has not begun.
    working: AtomicUsize,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self(Arc::new(Steps {
            begun: AtomicBool::new(false),
            since: Instant::now(),
            latest: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            working: AtomicUsize::new(0),
        }))
    }

    /// Whether it is known which version is spoken.
    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether there was ever a request.
    pub(super) fn has_asked(&self) -> bool {
        self.0.latest.load(Ordering::Relaxed) > 0
    }

    /// A request has come; it is worked on for as long as what this gives lives.
    pub(super) fn asks(&self) -> Working {
        self.note(&self.0.latest);
        self.0.working.fetch_add(1, Ordering::Relaxed);
        Working(self.clone())
    }

    /// How long it has asked for nothing.
    pub(super) fn quiet_for(&self) -> Duration {
        self.since(&self.0.latest)
    }

    /// How long neither side has done anything: no request came, none is worked on, and no piece of an answer was taken.
    pub(super) fn still_for(&self) -> Duration {
        if self.0.working.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.quiet_for().min(self.since(&self.0.moved))
    }

    fn note(&self, step: &AtomicU64) {
        let now = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        step.store(now.max(1), Ordering::Relaxed);
    }

    fn since(&self, step: &AtomicU64) -> Duration {
        self.0.since.elapsed().saturating_sub(Duration::from_millis(step.load(Ordering::Relaxed)))
    }
}

/// A request that is worked on.
pub(super) struct Working(Progress);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.note(&self.0.0.moved);
        self.0.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer that notes whenever a piece of it is fetched. hyper fetches one only when the peer has room for it.
pub(super) struct Taken {
    body: Body,
    progress: Progress,
}

impl Taken {
    pub(super) fn new(body: Body, progress: Progress) -> Self {
        Self { body, progress }
    }
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.progress.note(&self.progress.0.moved);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The stream with its watch.
pub(super) struct Watched<I> {
    io: I,
    /// Until the version is known: how many bytes have come in, all of them the preface's.
    seen: Option<usize>,
    progress: Progress,
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, progress: Progress) -> Self {
        Self { io, seen: Some(0), progress }
    }

    /// Compares what came in with the preface.
    fn look(&mut self, bytes: &[u8]) {
        let Some(seen) = self.seen else { return };
        let expected = &PREFACE[seen.min(PREFACE.len())..];
        let common = expected.len().min(bytes.len());
        if bytes[..common] != expected[..common] || seen + bytes.len() >= PREFACE.len() {
            self.seen = None;
            self.progress.0.begun.store(true, Ordering::Relaxed);
        } else {
            self.seen = Some(seen + bytes.len());
        }
    }
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<IoResult<()>> {
        if self.seen.is_none() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        // hyper's cursor hides what a reader put into it, so the first bytes come by way of a buffer of our own.
        let mut first = [0; PREFACE.len()];
        let room = buf.remaining().min(first.len());
        let mut own = hyper::rt::ReadBuf::new(&mut first[..room]);
        ready!(Pin::new(&mut self.io).poll_read(cx, own.unfilled()))?;
        let bytes = own.filled();
        buf.put_slice(bytes);
        self.look(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
