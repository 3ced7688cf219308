//! Gives a body to the parser of forms piece by piece. The parser would collect whatever is there.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::linger::linger;

/// Longest piece that the parser gets at a time, in bytes.
pub(super) const PIECE_BYTES: usize = 64 << 10;
/// Bytes that the parser may collect without an outcome: the headers of a part, a preamble, a part that is skipped.
const MAX_UNREAD: usize = 2 * PIECE_BYTES;

#[derive(Debug, thiserror::Error)]
pub(super) enum FormBodyError {
    #[error("too many bytes without an outcome")]
    Unread,
    #[error("the body was interrupted")]
    Interrupted(#[source] axum::Error),
}

/// Bytes that the parser got since its last outcome. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct UnreadBytes(Arc<AtomicUsize>);

impl UnreadBytes {
    pub(super) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) -> usize {
        self.0.fetch_add(bytes, Ordering::Relaxed) + bytes
    }
}

pub(super) struct FormBody {
    body: BodyDataStream,
    /// What is left of a long frame.
    rest: Bytes,
    unread: UnreadBytes,
    /// Whether the parser has to work on a piece before it gets the next one.
    is_paused: bool,
    /// Whether the body ended, or broke off.
    is_ended: bool,
}

impl FormBody {
    pub(super) fn new(body: Body, unread: UnreadBytes) -> Self {
        Self { body: body.into_data_stream(), rest: Bytes::new(), unread, is_paused: false, is_ended: false }
    }
}

impl Drop for FormBody {
    fn drop(&mut self) {
        if !self.is_ended {
            linger(std::mem::replace(&mut self.body, Body::empty().into_data_stream()));
        }
    }
}

impl Stream for FormBody {
    type Item = Result<Bytes, FormBodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.is_paused) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            match ready!(self.body.poll_next_unpin(context)) {
                Some(Ok(frame)) => self.rest = frame,
                Some(Err(cause)) => {
                    self.is_ended = true;
                    return Poll::Ready(Some(Err(FormBodyError::Interrupted(cause))));
                }
                None => {
                    self.is_ended = true;
                    return Poll::Ready(None);
                }
            }
        }
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        if self.unread.add(length) > MAX_UNREAD {
            return Poll::Ready(Some(Err(FormBodyError::Unread)));
        }
        self.is_paused = true;
        Poll::Ready(Some(Ok(piece)))
    }
}
