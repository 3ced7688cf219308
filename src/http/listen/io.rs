//! A stream that detects whether enough bytes have arrived for hyper to know the HTTP version.

use std::{
    io::{IoSlice, Result as IoResult},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::activity::ConnectionActivity;

/// The first bytes of an HTTP/2 connection (RFC 9113 section 3.4). Any difference means HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct VersionDetector<I> {
    io: I,
    /// Number of bytes of the preface that have arrived; `None` once the version is known.
    matched: Option<usize>,
    activity: ConnectionActivity,
}

impl<I> VersionDetector<I> {
    pub(super) fn new(io: I, activity: ConnectionActivity) -> Self {
        Self { io, matched: Some(0), activity }
    }

    fn compare(&mut self, bytes: &[u8]) {
        let Some(matched) = self.matched else { return };
        let expected = &PREFACE[matched.min(PREFACE.len())..];
        let common = expected.len().min(bytes.len());
        if bytes[..common] != expected[..common] || matched + bytes.len() >= PREFACE.len() {
            self.matched = None;
            self.activity.set_version_known();
        } else {
            self.matched = Some(matched + bytes.len());
        }
    }
}

impl<I: Read + Unpin> Read for VersionDetector<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<IoResult<()>> {
        if self.matched.is_none() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        // hyper's cursor does not expose the bytes that were read into it, so the first ones pass through this buffer.
        let mut first = [0; PREFACE.len()];
        let capacity = buf.remaining().min(first.len());
        let mut read_buf = hyper::rt::ReadBuf::new(&mut first[..capacity]);
        ready!(Pin::new(&mut self.io).poll_read(cx, read_buf.unfilled()))?;
        let bytes = read_buf.filled();
        buf.put_slice(bytes);
        self.compare(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<I: Write + Unpin> Write for VersionDetector<I> {
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
