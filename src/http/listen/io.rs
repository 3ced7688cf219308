//! A stream that remembers whether enough came in to know which HTTP version it speaks, and how far a connection has come.

use std::{
    io::{IoSlice, Result},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

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
}

impl Progress {
    pub(super) fn start() -> Self {
        Self(Arc::new(Steps { begun: AtomicBool::new(false), since: Instant::now(), latest: AtomicU64::new(0) }))
    }

    /// Whether it is known which version is spoken.
    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Whether there was ever a request.
    pub(super) fn has_asked(&self) -> bool {
        self.0.latest.load(Ordering::Relaxed) > 0
    }

    /// A request has come.
    pub(super) fn asks(&self) {
        let latest = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.latest.store(latest.max(1), Ordering::Relaxed);
    }

    /// How long it has asked for nothing.
    pub(super) fn quiet_for(&self) -> Duration {
        let latest = Duration::from_millis(self.0.latest.load(Ordering::Relaxed));
        self.0.since.elapsed().saturating_sub(latest)
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
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<Result<()>> {
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
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
