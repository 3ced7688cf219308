//! The body of an answer on its way to the client crate: bounded, and read no faster than its events are taken.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use parking_lot::Mutex;

use super::fault::EndpointError;

/// Bytes of one answer's event stream at most: an answer of a mebibyte in tokens of four characters, each an event.
const STREAM_LIMIT: usize = 64 << 20;
/// Bytes of one event at most.
const EVENT_LIMIT: usize = 1 << 20;
/// Bytes of a refusal's body that are read.
const REFUSAL_LIMIT: usize = 16 << 10;
/// As much of a line as is needed to know the last one.
const LINE_BEGINNING: usize = 16;

/// What the reader of events and the body tell each other, past the crate between them. Its queue has no bound, so the
/// body is read only while the reader waits for an event, and no further than to the next one.
#[derive(Default)]
pub(super) struct Flow(Mutex<Told>);

#[derive(Default)]
struct Told {
    hungry: bool,
    body: Option<Waker>,
    fault: Option<EndpointError>,
    done: bool,
}

impl Flow {
    /// The reader has taken everything there is and waits, or has got something.
    pub(super) fn hungry(&self, hungry: bool) {
        let mut told = self.0.lock();
        told.hungry = hungry;
        if let Some(body) = told.body.take_if(|_| hungry) {
            drop(told);
            body.wake();
        }
    }

    /// What went wrong with the body, once.
    pub(super) fn fault(&self) -> Option<EndpointError> {
        self.0.lock().fault.take()
    }

    /// Whether the stream has come to its own end, `[DONE]`.
    pub(super) fn is_done(&self) -> bool {
        self.0.lock().done
    }
}

/// The body.
pub(super) struct Watched {
    bytes: BoxStream<'static, reqwest::Result<Bytes>>,
    flow: Arc<Flow>,
    read: usize,
    event: usize,
    /// Whether the event at hand has data.
    tells: bool,
    /// Whether it has a name: the crate keeps some of those to itself.
    silent: bool,
    line: Vec<u8>,
    after_cr: bool,
}

/// What was found in some bytes.
struct Found {
    /// An event that the reader will get.
    event: bool,
    /// A bound was passed.
    too_long: bool,
}

impl Watched {
    pub(super) fn new(response: reqwest::Response, flow: Arc<Flow>) -> Self {
        Self {
            bytes: response.bytes_stream().boxed(),
            flow,
            read: 0,
            event: 0,
            tells: false,
            silent: false,
            line: Vec::new(),
            after_cr: false,
        }
    }

    /// Follows lines and events.
    fn follow(&mut self, bytes: &[u8]) -> Found {
        self.read = self.read.saturating_add(bytes.len());
        let mut found = Found { event: false, too_long: false };
        for &byte in bytes {
            self.event += 1;
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            let second_half = after_cr && byte == b'\n';
            if byte != b'\n' && byte != b'\r' {
                if self.line.len() < LINE_BEGINNING {
                    self.line.push(byte);
                }
            } else if !second_half {
                found.event |= self.end_line();
            }
            found.too_long |= self.event > EVENT_LIMIT;
        }
        found.too_long |= self.read > STREAM_LIMIT;
        found
    }

    /// The line at hand is over; `true` when it ends an event that the reader will get.
    fn end_line(&mut self) -> bool {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            self.event = 0;
            let tells = std::mem::take(&mut self.tells);
            return !std::mem::take(&mut self.silent) && tells;
        }
        match line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) {
            Some(b"[DONE]") => self.flow.0.lock().done = true,
            Some(data) => self.tells |= !data.is_empty(),
            None => self.silent |= line.starts_with(b"event:"),
        }
        false
    }

    fn fail(&self, fault: EndpointError) -> Poll<Option<std::io::Result<Bytes>>> {
        self.flow.0.lock().fault = Some(fault);
        Poll::Ready(Some(Err(std::io::Error::other("the body ended early"))))
    }
}

impl Stream for Watched {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        {
            let mut told = self.flow.0.lock();
            if !told.hungry {
                told.body = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        match ready!(self.bytes.poll_next_unpin(context)) {
            Some(Ok(bytes)) => {
                let found = self.follow(&bytes);
                if found.too_long {
                    return self.fail(EndpointError::TooLong);
                }
                // It is on its way to the reader, who says when it is time for more.
                self.flow.0.lock().hungry &= !found.event;
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => self.fail(EndpointError::Cut(Some(error))),
            None => Poll::Ready(None),
        }
    }
}

/// The beginning of a body; what cannot be read is left out.
pub(super) async fn beginning(mut response: reqwest::Response) -> Vec<u8> {
    let mut beginning = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await {
        beginning.extend(bytes.iter().take(REFUSAL_LIMIT - beginning.len()));
        if beginning.len() >= REFUSAL_LIMIT {
            break;
        }
    }
    beginning
}
