//! The body of an answer on its way to the client crate: limited in size, and read no faster than its events are
//! consumed.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use parking_lot::Mutex;

use super::error::EndpointError;

/// Largest event stream of an answer, in bytes: an answer of a mebibyte, with an event for every token of four
/// characters.
const MAX_STREAM: usize = 64 << 20;
/// Largest event, in bytes.
const MAX_EVENT: usize = 1 << 20;
/// Largest part of an error response's body that is read, in bytes.
const MAX_ERROR_BODY: usize = 16 << 10;
/// Number of bytes that are kept of a line: enough to recognize its field, and `[DONE]`.
const LINE_PREFIX: usize = 16;

/// Connects the reader of the events with the body, around the client crate between them. The crate's queue has no
/// limit, so the body is read only while the reader waits for an event, and only up to the next one.
#[derive(Default)]
pub(super) struct ReadControl(Mutex<ReadState>);

#[derive(Default)]
struct ReadState {
    reader_waits: bool,
    body: Option<Waker>,
    error: Option<EndpointError>,
    done: bool,
}

impl ReadControl {
    /// Records whether the reader waits for an event, and wakes the body if so.
    pub(super) fn set_waiting(&self, waits: bool) {
        let mut state = self.0.lock();
        state.reader_waits = waits;
        if let Some(body) = state.body.take_if(|_| waits) {
            drop(state);
            body.wake();
        }
    }

    /// Returns the error of the body the first time, `None` afterwards.
    pub(super) fn take_error(&self) -> Option<EndpointError> {
        self.0.lock().error.take()
    }

    /// Whether the stream has ended with `[DONE]`.
    pub(super) fn is_done(&self) -> bool {
        self.0.lock().done
    }
}

/// The body of a response, paused while the reader does not wait.
pub(super) struct PacedBody {
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    control: Arc<ReadControl>,
    /// Bytes read so far.
    total: usize,
    /// Bytes of the current event.
    event: usize,
    /// Whether the current event has data.
    has_data: bool,
    /// Whether the current event has a name: the crate does not yield all of those.
    is_named: bool,
    /// The beginning of the current line.
    line: Vec<u8>,
    after_cr: bool,
}

/// Findings in a chunk of the body.
struct Scan {
    /// Whether an event ends here that the reader receives.
    event: bool,
    /// Whether a size limit is exceeded.
    too_long: bool,
}

impl PacedBody {
    pub(super) fn new(response: reqwest::Response, control: Arc<ReadControl>) -> Self {
        Self {
            bytes: response.bytes_stream().boxed(),
            control,
            total: 0,
            event: 0,
            has_data: false,
            is_named: false,
            line: Vec::new(),
            after_cr: false,
        }
    }

    /// Tracks lines and events, and their sizes.
    fn track(&mut self, bytes: &[u8]) -> Scan {
        self.total = self.total.saturating_add(bytes.len());
        let mut scan = Scan { event: false, too_long: false };
        for &byte in bytes {
            self.event += 1;
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            let second_half = after_cr && byte == b'\n';
            if byte != b'\n' && byte != b'\r' {
                if self.line.len() < LINE_PREFIX {
                    self.line.push(byte);
                }
            } else if !second_half {
                scan.event |= self.end_line();
            }
            scan.too_long |= self.event > MAX_EVENT;
        }
        scan.too_long |= self.total > MAX_STREAM;
        scan
    }

    /// Ends the current line; `true` when it ends an event that the reader receives.
    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.event = 0;
            let has_data = std::mem::take(&mut self.has_data);
            return !std::mem::take(&mut self.is_named) && has_data;
        }
        match line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) {
            Some(b"[DONE]") => self.control.0.lock().done = true,
            Some(data) => self.has_data |= !data.is_empty(),
            None => self.is_named |= line.starts_with(b"event:"),
        }
        false
    }

    fn fail(&self, error: EndpointError) -> Poll<Option<std::io::Result<Bytes>>> {
        self.control.0.lock().error = Some(error);
        Poll::Ready(Some(Err(std::io::Error::other("the body ended early"))))
    }
}

impl Stream for PacedBody {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        {
            let mut state = self.control.0.lock();
            if !state.reader_waits {
                state.body = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        match ready!(self.bytes.poll_next_unpin(context)) {
            Some(Ok(bytes)) => {
                let scan = self.track(&bytes);
                if scan.too_long {
                    return self.fail(EndpointError::TooLong);
                }
                // The reader receives the event and then reports when it waits for the next one.
                self.control.0.lock().reader_waits &= !scan.event;
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => self.fail(EndpointError::Truncated(Some(error))),
            None => Poll::Ready(None),
        }
    }
}

/// Reads the beginning of an error response's body, as far as it arrives.
pub(super) async fn error_body(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        body.extend(bytes.iter().take(MAX_ERROR_BODY - body.len()));
        if body.len() >= MAX_ERROR_BODY {
            break;
        }
    }
    body
}
