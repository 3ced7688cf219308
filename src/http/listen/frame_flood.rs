//! Ends HTTP/2 connections whose client sends many frames that belong to no request: pings, settings, empty bodies.
//! hyper answers each of them, so that a client could keep every core busy at little cost.

use std::{
    io::{Error as IoError, IoSlice, Result as IoResult},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::ConnectionActivity;

/// Bytes of a frame's head (RFC 9113 section 4.1).
const HEAD: usize = 9;
/// Types of frames that carry a request.
const DATA: u8 = 0;
const CONTINUATION: u8 = 9;

/// Finds the heads of frames in the bytes of a connection.
#[derive(Debug, Default)]
struct FrameHeads {
    head: [u8; HEAD],
    filled: usize,
    payload_left: usize,
}

impl FrameHeads {
    /// The number of frames without content that begin in these bytes. Headers count until their request begins.
    fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut count = 0;
        loop {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD - self.filled).min(bytes.len());
            if taken == 0 {
                return count;
            }
            self.head[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == HEAD {
                let [high, middle, low, kind, ..] = self.head;
                self.filled = 0;
                self.payload_left = u32::from_be_bytes([0, high, middle, low]) as usize;
                let has_content = kind == CONTINUATION || kind == DATA && self.payload_left > 0;
                count += usize::from(!has_content);
            }
        }
    }
}

/// A stream whose reads fail after too many such frames.
pub(super) struct FloodGuard<S> {
    stream: S,
    heads: FrameHeads,
    activity: ConnectionActivity,
}

impl<S> FloodGuard<S> {
    pub(super) fn new(stream: S, activity: ConnectionActivity) -> Self {
        Self { stream, heads: FrameHeads::default(), activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FloodGuard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<IoResult<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.activity.is_http2() {
            let frames = self.heads.count(&buf.filled()[before..]);
            if frames > 0 {
                self.activity.add_frames(frames);
            }
            if self.activity.is_flooded() {
                return Poll::Ready(Err(IoError::other("the client sends many frames that belong to no request")));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FloodGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<IoResult<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<IoResult<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn frames_without_content_are_counted_however_they_are_cut() {
        let (ping, settings, headers) = (6, 4, 1);
        let bytes = [
            frame(settings, &[]),
            frame(headers, &[7; 300]),
            frame(CONTINUATION, &[8; 40]),
            frame(DATA, &vec![9; 70_000]),
            frame(DATA, &[]),
            frame(ping, &[6; 8]),
        ]
        .concat();
        for size in [1, 2, 8, 9, 10, 64, 4_096, bytes.len()] {
            let mut heads = FrameHeads::default();
            assert_eq!(bytes.chunks(size).map(|part| heads.count(part)).sum::<usize>(), 4, "{size}");
        }
    }
}
