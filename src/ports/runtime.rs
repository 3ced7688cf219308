//! Runs apps: through Dify's service API beside Dify, and with the built-in runtime standalone.
//!
//! A run is a stream of events. The buffer between the run and its reader is limited in events and bytes, so a slow
//! reader slows its own run down. Dropping the stream cancels the run.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, mpsc::error::TrySendError};
use tokio_util::sync::CancellationToken;

pub(crate) use super::run_event::RunEvent;
use crate::{
    domain::{
        Error, Result,
        app::{App, Definition},
        conversation::ExternalUser,
        file::uploaded::UploadedFile,
        human_form::{FormToken, HumanForm, OpenForm},
        id::{AccountId, ConversationId, TaskId, WorkflowId, WorkflowRunId},
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit},
};

/// Limit of buffered events of a run.
pub(crate) const EVENTS_AHEAD: usize = 64;
/// Limit of buffered bytes of a run. One event may be longer.
pub(crate) const BYTES_AHEAD: u32 = 1 << 20;

/// A run whose caller and inputs have been checked.
#[derive(Clone, Debug)]
pub struct RunRequest {
    pub app: App,
    /// The definition that the inputs were checked against.
    pub definition: Definition,
    /// The stable, opaque name of the subject in the app's data.
    pub user: String,
    /// The account of the subject; `None` for an external identity.
    pub account: Option<AccountId>,
    /// Set for an external identity, whose rows name it.
    pub external_user: Option<ExternalUser>,
    /// Values of the form's variables, by name.
    pub inputs: Map<String, Value>,
    /// Set in the chat modes; optional in completion apps.
    pub query: Option<String>,
    /// Files in Dify's format.
    pub files: Vec<Value>,
    /// The uploads of the caller among the inputs and files.
    pub uploads: Vec<UploadedFile>,
    /// `None` starts a conversation.
    pub conversation_id: Option<ConversationId>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
    /// `None` is the published version.
    pub workflow_id: Option<WorkflowId>,
    /// Cancelled to stop the run, which then ends as stopped. Its reader receives the end.
    pub stop: CancellationToken,
}

/// A run that continues after its form was resolved.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    pub app: App,
    /// The version of the graph that the run follows.
    pub definition: Definition,
    /// What the runtime kept of the run.
    pub state: String,
    pub answer: FormAnswer,
    /// Cancelled to stop the run.
    pub stop: CancellationToken,
}

/// The resolution of a form.
#[derive(Clone, Debug)]
pub struct FormAnswer {
    /// The form as a person got it.
    pub form: HumanForm,
    pub expires_at: DateTime<Utc>,
    /// The id of the chosen action; `None` after the timeout.
    pub action: Option<String>,
    /// Values by the names of inputs.
    pub values: Map<String, Value>,
}

/// A submission of a form that is kept elsewhere.
#[derive(Clone, Debug)]
pub struct FormSubmission<'a> {
    pub token: &'a FormToken,
    /// The id of the chosen action.
    pub action: &'a str,
    /// Values by the names of inputs.
    pub values: &'a Map<String, Value>,
}

/// How a run is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowOptions {
    /// Whether the events that were before come first.
    pub include_state_snapshot: bool,
    /// Whether the stream continues when the run pauses.
    pub continue_on_pause: bool,
}

/// A run in an app, and the subject's name in the app's data.
#[derive(Clone, Copy, Debug)]
pub struct RunOfUser<'a> {
    pub app: &'a App,
    pub user: &'a str,
}

/// A buffered event with its share of the buffered bytes.
#[derive(Debug)]
struct BufferedEvent {
    event: Result<RunEvent>,
    _bytes: OwnedSemaphorePermit,
    _memory: MemoryPermit,
}

/// Creates the two ends of a run, which buffer `max_events` and [`BYTES_AHEAD`]. While the events of all runs use up
/// their memory, each run buffers one event.
pub(crate) fn events(max_events: usize, memory: &MemoryLedger) -> (RunEvents, RunStream) {
    let (sender, receiver) = mpsc::channel(max_events);
    let bytes = Arc::new(Semaphore::new(BYTES_AHEAD as usize));
    (RunEvents { sender, bytes, memory: memory.clone() }, RunStream(receiver))
}

/// A run in progress. An error is its last item.
#[derive(Debug)]
pub struct RunStream(mpsc::Receiver<BufferedEvent>);

impl RunStream {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        self.0.recv().await.map(|waiting| waiting.event)
    }
}

/// The sending end of a run. It is closed when the stream is dropped, which cancels the run.
#[derive(Debug)]
pub(crate) struct RunEvents {
    sender: mpsc::Sender<BufferedEvent>,
    bytes: Arc<Semaphore>,
    memory: MemoryLedger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream of the run was dropped")]
pub(crate) struct StreamClosedError;

impl RunEvents {
    /// Sends an event as soon as the buffer has room for it.
    pub(crate) async fn send(&self, event: Result<RunEvent>) -> Result<(), StreamClosedError> {
        // Dropping the stream drops the buffered events. Their bytes become available, and the send below fails.
        let acquire = |share| Arc::clone(&self.bytes).acquire_many_owned(share);
        let mut bytes = acquire(share(&event)).await.map_err(|_| StreamClosedError)?;
        let length = length(&event);
        let memory = if let Ok(memory) = self.memory.reserve(MemoryKind::Events, length) {
            memory
        } else {
            drop(bytes);
            // Waits until the reader has taken all other events. Then this one is sent alone.
            bytes = acquire(BYTES_AHEAD).await.map_err(|_| StreamClosedError)?;
            self.memory.charge(MemoryKind::Events, length)
        };
        self.sender.send(BufferedEvent { event, _bytes: bytes, _memory: memory }).await.map_err(|_| StreamClosedError)
    }

    /// Sends an event whose memory is reserved already.
    pub(crate) async fn send_reserved(
        &self,
        event: Result<RunEvent>,
        memory: MemoryPermit,
    ) -> Result<(), StreamClosedError> {
        let bytes = Arc::clone(&self.bytes).acquire_many_owned(share(&event)).await.map_err(|_| StreamClosedError)?;
        self.sender.send(BufferedEvent { event, _bytes: bytes, _memory: memory }).await.map_err(|_| StreamClosedError)
    }

    /// Sends an event if the buffer has room for it.
    pub(crate) fn try_send(&self, event: Result<RunEvent>) -> Result<(), TrySendError<Result<RunEvent>>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(event));
        }
        let Ok(bytes) = Arc::clone(&self.bytes).try_acquire_many_owned(share(&event)) else {
            return Err(TrySendError::Full(event));
        };
        let Ok(memory) = self.memory.reserve(MemoryKind::Events, length(&event)) else {
            return Err(TrySendError::Full(event));
        };
        self.sender.try_send(BufferedEvent { event, _bytes: bytes, _memory: memory }).map_err(|error| match error {
            TrySendError::Full(waiting) => TrySendError::Full(waiting.event),
            TrySendError::Closed(waiting) => TrySendError::Closed(waiting.event),
        })
    }

    /// Waits until the stream is dropped.
    pub(crate) async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Whether the stream was dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// The bytes that an event occupies: its length, but at most all of them, so that a longer event can be sent alone.
fn share(event: &Result<RunEvent>) -> u32 {
    u32::try_from(length(event)).unwrap_or(u32::MAX).min(BYTES_AHEAD)
}

fn length(event: &Result<RunEvent>) -> usize {
    event.as_ref().map_or(0, |event| event.json.len())
}

#[async_trait]
pub trait AppRuntime: Send + Sync + 'static {
    /// Starts a run. Errors after the start are items of the stream. Fails with `app_unavailable`, `rate_limited`,
    /// `upstream_error`, `upstream_timeout`, or `not_found` for a conversation that is not the caller's.
    async fn start(&self, run: RunRequest) -> Result<RunStream>;

    /// Continues a run that waited for a form. Fails like [`Self::start`].
    async fn resume(&self, _run: ResumeRequest) -> Result<RunStream> {
        Err(Error::internal("this runtime keeps no runs"))
    }

    /// Stops a run that runs elsewhere. Others end when their `stop` is cancelled.
    async fn stop(&self, _of: RunOfUser<'_>, _task: TaskId) -> Result<()> {
        Ok(())
    }

    /// The events of a run that are kept elsewhere; `None` when they are kept in the logs of this service.
    async fn follow(&self, _of: RunOfUser<'_>, _run: WorkflowRunId, _: FollowOptions) -> Result<Option<RunStream>> {
        Ok(None)
    }

    /// A form that is kept elsewhere; `None` when forms are kept in the database of this service. Fails with
    /// `not_found`, `human_input_form_submitted`, `human_input_form_expired`.
    async fn find_form(&self, _: &App, _: &FormToken) -> Result<Option<OpenForm>> {
        Ok(None)
    }

    /// Submits a form that is kept elsewhere. Returns `false` when forms are kept in the database of this service.
    /// Fails like [`Self::find_form`], and with `invalid_param`.
    async fn submit_form(&self, _of: RunOfUser<'_>, _: FormSubmission<'_>) -> Result<bool> {
        Ok(false)
    }
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
    async fn buffer_is_limited_in_events_and_bytes() {
        let (sender, mut stream) = events(3, &MemoryLedger::unlimited());
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
    async fn event_longer_than_the_buffer_is_sent_alone() {
        let (sender, mut stream) = events(3, &MemoryLedger::unlimited());
        let long = 3 * BYTES_AHEAD as usize;
        sender.try_send(event(1)).unwrap();
        assert!(is_full(&sender.try_send(event(long))));
        stream.next().await.unwrap().unwrap();
        sender.try_send(event(long)).unwrap();
        assert!(is_full(&sender.try_send(event(1))));
        // The error that ends a run needs no bytes.
        sender.try_send(Err(crate::domain::Error::internal("broken"))).unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().json.len(), long);
        assert!(stream.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn waiting_send_fails_when_the_stream_is_dropped() {
        let (sender, stream) = events(3, &MemoryLedger::unlimited());
        sender.try_send(event(BYTES_AHEAD as usize)).unwrap();
        let waiting = tokio::spawn(async move {
            let sent = sender.send(event(BYTES_AHEAD as usize)).await;
            (sent, sender.is_closed())
        });
        tokio::task::yield_now().await;
        drop(stream);
        assert_eq!(waiting.await.unwrap(), (Err(StreamClosedError), true));
    }

    #[tokio::test]
    async fn run_buffers_one_event_while_the_memory_of_events_is_used_up() {
        let memory = MemoryLedger::with_limits(|_| 1_000);
        let (other, _unread) = events(8, &memory);
        other.send(event(900)).await.unwrap();
        let (sender, mut stream) = events(8, &memory);
        sender.send(event(200)).await.unwrap();
        assert!(is_full(&sender.try_send(event(200))));
        let mut second = std::pin::pin!(sender.send(event(300)));
        assert!(futures_util::poll!(second.as_mut()).is_pending(), "the first event is unread");
        assert_eq!(stream.next().await.unwrap().unwrap().json.len(), 200);
        second.await.unwrap();
        assert_eq!((stream.next().await.unwrap().unwrap().json.len(), memory.used(MemoryKind::Events)), (300, 900));
    }
}
