//! A stream that detects the HTTP version, and checks the heads of HTTP/1 requests before hyper reads them. It ends
//! only after a client has had time to read the response to a body that was refused.

use std::{
    cell::RefCell,
    io::{IoSlice, Result as IoResult},
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::{activity::ConnectionActivity, head_scanner::HeadScanner, linger::Linger};

/// The first bytes of an HTTP/2 connection (RFC 9113 section 3.4). Any difference means HTTP/1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Ends a rejected head. hyper responds to it with 400, and parses a head only when it is complete.
const INVALID_HEAD: &[u8] = b"\0\r\n\r\n";
/// Bytes of HTTP/1 that are read at once.
const READ_SIZE: usize = 4096;

thread_local! {
    /// hyper's cursor does not expose the bytes that were read into it, so they pass through this buffer.
    static BUFFER: RefCell<[u8; READ_SIZE]> = const { RefCell::new([0; READ_SIZE]) };
}

#[derive(Debug)]
enum Version {
    /// The bytes so far are the beginning of the preface.
    Unknown {
        matched: usize,
    },
    Http1(HeadScanner),
    /// A head is rejected. These bytes follow in place of those from the socket, and then the end.
    Rejected(&'static [u8]),
    Http2,
}

pub(super) struct InspectedStream<I> {
    io: I,
    version: Version,
    activity: ConnectionActivity,
    /// The end of the connection, once it has begun.
    linger: Option<Linger>,
}

impl<I> InspectedStream<I> {
    pub(super) fn new(io: I, activity: ConnectionActivity) -> Self {
        Self { io, version: Version::Unknown { matched: 0 }, activity, linger: None }
    }

    /// Returns the number of bytes that hyper may read.
    fn inspect(&mut self, bytes: &[u8]) -> usize {
        let rejected = match &mut self.version {
            Version::Http2 | Version::Rejected(_) => None,
            Version::Http1(scanner) => scanner.scan(bytes),
            Version::Unknown { matched } => {
                let (before, expected) = PREFACE.split_at(*matched);
                if !expected.starts_with(bytes) {
                    let mut scanner = HeadScanner::new();
                    let _ = scanner.scan(before);
                    let rejected = scanner.scan(bytes);
                    self.version = Version::Http1(scanner);
                    self.activity.set_version_known(false);
                    rejected
                } else if bytes.len() == expected.len() {
                    self.version = Version::Http2;
                    self.activity.set_version_known(true);
                    None
                } else {
                    *matched += bytes.len();
                    None
                }
            }
        };
        if rejected.is_some() {
            self.version = Version::Rejected(INVALID_HEAD);
        }
        rejected.unwrap_or(bytes.len())
    }
}

impl<I: Read + Unpin> InspectedStream<I> {
    /// Reads at most `bytes.len()` bytes and puts those into `buf` that hyper may read. Returns false if there are
    /// none, although the stream has not ended.
    fn read_through(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
        buf: &mut ReadBufCursor<'_>,
    ) -> Poll<IoResult<bool>> {
        let mut read_buf = ReadBuf::new(bytes);
        ready!(Pin::new(&mut self.io).poll_read(cx, read_buf.unfilled()))?;
        let length = read_buf.filled().len();
        let accepted = self.inspect(&bytes[..length]);
        buf.put_slice(&bytes[..accepted]);
        Poll::Ready(Ok(accepted > 0 || length == 0))
    }
}

impl<I: Read + Unpin> Read for InspectedStream<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<IoResult<()>> {
        loop {
            let limit = match &mut self.version {
                Version::Rejected(rest) => {
                    let (next, after) = rest.split_at(rest.len().min(buf.remaining()));
                    buf.put_slice(next);
                    *rest = after;
                    return Poll::Ready(Ok(()));
                }
                Version::Http2 => return Pin::new(&mut self.io).poll_read(cx, buf),
                // No byte after the preface is copied.
                Version::Unknown { matched } => PREFACE.len() - *matched,
                Version::Http1(_) => READ_SIZE,
            };
            let limit = limit.min(buf.remaining());
            // An empty read would be the end of the stream, so a rejected head is answered at once.
            if ready!(BUFFER.with_borrow_mut(|bytes| self.read_through(cx, &mut bytes[..limit], &mut buf)))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<I: Read + Write + Unpin> InspectedStream<I> {
    /// Sends the end of the stream, then discards what the client still sends: closing at once would reset the
    /// connection, and the client might lose the response (RFC 9112 section 9.6). Streams of HTTP/2 end one by one and
    /// need none of this.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            if matches!(self.version, Version::Http1(_)) && self.activity.has_unread_body() {
                self.linger = Some(Linger::new());
            }
        }
        let Some(linger) = &mut self.linger else { return Poll::Ready(Ok(())) };
        loop {
            if linger.is_over(cx) {
                return Poll::Ready(Ok(()));
            }
            let read = BUFFER.with_borrow_mut(|bytes| {
                let mut buf = ReadBuf::new(&mut bytes[..]);
                let read = Pin::new(&mut self.io).poll_read(cx, buf.unfilled());
                read.map_ok(|()| buf.filled().len())
            });
            match ready!(read) {
                Ok(length) if length > 0 => linger.discarded(length),
                // The client has closed, too.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<I: Read + Write + Unpin> Write for InspectedStream<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        self.poll_close(cx)
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
