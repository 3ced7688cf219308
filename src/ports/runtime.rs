//! What runs apps: Dify's own service API beside Dify, the built-in runtime elsewhere.
//!
//! A run is a stream of events, bounded in their number and in their bytes. Whoever holds the stream holds the run: dropping
//! it cancels the run, and a reader that is slow slows down its own run and nothing else.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, mpsc::error::TrySendError};

use crate::domain::{
    Result,
    app::{App, Definition},
    id::{ConversationId, WorkflowId},
};

/// Events a run may be ahead of its reader.
pub(crate) const EVENTS_AHEAD: usize = 64;
/// Bytes that a run may be ahead of its reader, or one event that is longer.
pub(crate) const BYTES_AHEAD: u32 = 1 << 20;

/// A run that has been checked: the caller may run this app, and the inputs are what its form asks for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// What is run.
    pub app: App,
    /// What it does, as it was when the inputs were checked.
    pub definition: Definition,
    /// The caller, as the app's data knows them: stable, opaque, the same for every run of the same subject.
    pub user: String,
    /// Values of the form's variables.
    pub inputs: Map<String, Value>,
    /// What was said, in the chat modes; completion apps may have one too.
    pub query: Option<String>,
    /// Files as the client named them.
    pub files: Vec<Value>,
    /// The conversation to go on with; `None` starts one.
    pub conversation_id: Option<ConversationId>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
    /// A version other than the published one.
    pub workflow_id: Option<WorkflowId>,
}

/// One event of a run, exactly as it goes out on the wire.
#[derive(Clone, Debug)]
pub struct RunEvent {
    /// Its `event` member.
    pub event: Cow<'static, str>,
    /// The whole event: one JSON object on one line, `event` included.
    pub json: Bytes,
}

/// An event that waits for the reader, with its share of the bytes that may.
#[derive(Debug)]
struct Waiting {
    event: Result<RunEvent>,
    _bytes: OwnedSemaphorePermit,
}

/// A stream of events and where they are put, with room for so many of them, and for [`BYTES_AHEAD`].
pub(crate) fn events(most: usize) -> (RunEvents, RunStream) {
    let (sender, receiver) = mpsc::channel(most);
    (RunEvents { sender, bytes: Arc::new(Semaphore::new(BYTES_AHEAD as usize)) }, RunStream(receiver))
}

/// A run under way. A failure is the last thing it yields.
#[derive(Debug)]
pub struct RunStream(mpsc::Receiver<Waiting>);

impl RunStream {
    /// The next event; `None` when the run is over.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        self.0.recv().await.map(|waiting| waiting.event)
    }
}

/// Where a runtime puts the events of one run. It is closed when nobody listens any more: the run is cancelled.
#[derive(Debug)]
pub(crate) struct RunEvents {
    sender: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
}

/// Nobody listens any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody listens to the run")]
pub(crate) struct Deserted;

impl RunEvents {
    /// Hands an event on as soon as there is room for it.
    pub(crate) async fn send(&self, event: Result<RunEvent>) -> Result<(), Deserted> {
        // A stream that is dropped drops what waits in it, so that there is room; then there is nobody to send to.
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(share(&event)).await.map_err(|_| Deserted)?;
        self.sender.send(Waiting { event, _bytes: bytes }).await.map_err(|_| Deserted)
    }

    /// Hands an event on if there is room for it now.
    pub(crate) fn try_send(&self, event: Result<RunEvent>) -> Result<(), TrySendError<Result<RunEvent>>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(event));
        }
        let Ok(bytes) = Arc::clone(&self.bytes).try_acquire_many_owned(share(&event)) else {
            return Err(TrySendError::Full(event));
        };
        self.sender.try_send(Waiting { event, _bytes: bytes }).map_err(|fault| match fault {
            TrySendError::Full(waiting) => TrySendError::Full(waiting.event),
            TrySendError::Closed(waiting) => TrySendError::Closed(waiting.event),
        })
    }

    /// Waits until nobody listens any more.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// What an event takes of the bytes: its length, and all of them if it is longer. So it passes alone.
fn share(event: &Result<RunEvent>) -> u32 {
    let length = event.as_ref().map_or(0, |event| event.json.len());
    u32::try_from(length).unwrap_or(u32::MAX).min(BYTES_AHEAD)
}

/// A runtime.
#[async_trait]
pub trait AppRuntime: Send + Sync + 'static {
    /// Starts a run. What is wrong before it begins is the error; what goes wrong later comes out of the stream.
    /// `app_unavailable`, `not_found` for a conversation that is not the caller's, `rate_limited`, `upstream_error`, `upstream_timeout`.
    async fn start(&self, run: RunRequest) -> Result<RunStream>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "as it is sent")]
    fn event(length: usize) -> Result<RunEvent> {
        Ok(RunEvent { event: "message".into(), json: vec![b'x'; length].into() })
    }

    fn is_full(tried: &Result<(), TrySendError<Result<RunEvent>>>) -> bool {
        matches!(tried, Err(TrySendError::Full(_)))
    }

    #[tokio::test]
    async fn a_stream_holds_so_many_events_and_so_many_bytes() {
        let (sender, mut stream) = events(3);
        for _ in 0..3 {
            sender.try_send(event(1)).unwrap();
        }
        assert!(is_full(&sender.try_send(event(1))), "three events");
        while stream.0.try_recv().is_ok() {}
        let half = BYTES_AHEAD as usize / 2;
        sender.try_send(event(half)).unwrap();
        sender.try_send(event(half)).unwrap();
        assert!(is_full(&sender.try_send(event(1))), "all bytes");
        assert_eq!(stream.next().await.unwrap().unwrap().json.len(), half);
        sender.try_send(event(half)).unwrap();
    }

    #[tokio::test]
    async fn an_event_longer_than_everything_passes_alone() {
        let (sender, mut stream) = events(3);
        let long = 3 * BYTES_AHEAD as usize;
        sender.try_send(event(1)).unwrap();
        assert!(is_full(&sender.try_send(event(long))));
        stream.next().await.unwrap().unwrap();
        sender.try_send(event(long)).unwrap();
        assert!(is_full(&sender.try_send(event(1))));
        // How a run ends is told whatever waits before it.
        sender.try_send(Err(crate::domain::Error::internal("broken"))).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().json.len(), long);
        assert!(stream.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn who_waits_for_room_learns_that_nobody_listens() {
        let (sender, stream) = events(3);
        sender.try_send(event(BYTES_AHEAD as usize)).unwrap();
        let waiting = tokio::spawn(async move {
            let sent = sender.send(event(BYTES_AHEAD as usize)).await;
            (sent, sender.is_closed())
        });
        tokio::task::yield_now().await;
        drop(stream);
        assert_eq!(waiting.await.unwrap(), (Err(Deserted), true));
    }
}
