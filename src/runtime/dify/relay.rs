//! Relays the events of one run at Dify, until the last one or until the reader disconnects.

use std::{borrow::Cow, time::Duration};

use reqwest::Response;
use serde::Deserialize;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

use super::{
    error_response::{ErrorResponse, RequestedIds, upstream_error},
    sse::{SseFrame, SseParser},
};
use crate::{
    domain::{Code, Error, Result, app::AppMode},
    memory::MemoryPermit,
    ports::runtime::{RunEvent, RunEvents},
};

/// Longest pause within a stream. Dify pings every ten seconds.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Events up to this many bytes are part of the memory of their run.
const SHORT_EVENT: usize = 64 << 10;
/// Memory of a long event for each of its bytes: a buffer doubles when it is full.
const EVENT_FACTOR: usize = 2;
/// How long a stream is read after its last event, so that its connection can be reused.
const REST_TIMEOUT: Duration = Duration::from_secs(5);

/// Names of events that are not copied.
const EVENT_NAMES: &[&str] = &[
    "message",
    "agent_message",
    "agent_thought",
    "message_file",
    "message_replace",
    "message_end",
    "workflow_started",
    "workflow_finished",
    "node_started",
    "node_finished",
    "node_retry",
    "text_chunk",
    "iteration_started",
    "iteration_next",
    "iteration_completed",
    "loop_started",
    "loop_next",
    "loop_completed",
    "agent_log",
];

/// The name of an event. Deserializing it checks that the whole event is JSON.
#[derive(Deserialize)]
struct EventName<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// The task id of an event; read until an event has one.
#[derive(Deserialize)]
struct EventTaskId {
    task_id: String,
}

/// Sends to the caller of a run: first whether it started, then its events.
pub(super) struct RunSender {
    started: Option<oneshot::Sender<Result<()>>>,
    events: RunEvents,
}

impl RunSender {
    pub(super) fn new(started: oneshot::Sender<Result<()>>, events: RunEvents) -> Self {
        Self { started: Some(started), events }
    }

    /// Reports the start of the run, once.
    fn start(&mut self) {
        if let Some(started) = self.started.take() {
            // Fails when the caller disconnected, which the channel of the events reports.
            let _ = started.send(Ok(()));
        }
    }

    /// Ends the run with an error: the result of the start, or after the start the last item of the stream.
    pub(super) async fn fail(&mut self, error: Error) {
        match self.started.take() {
            Some(started) => {
                let _ = started.send(Err(error));
            }
            None => {
                let _ = self.events.send(Err(error)).await;
            }
        }
    }

    /// Like [`Self::fail`], without waiting: a reader that does not read misses the error.
    pub(super) fn try_fail(&mut self, error: Error) {
        match self.started.take() {
            Some(started) => {
                let _ = started.send(Err(error));
            }
            None => {
                let _ = self.events.try_send(Err(error));
            }
        }
    }

    /// Sends an event, and waits while the channel is full. `memory` is that of a long event. Returns `false` when the
    /// reader has disconnected.
    async fn send(&mut self, event: RunEvent, memory: Option<MemoryPermit>) -> bool {
        self.start();
        match memory {
            Some(memory) => self.events.send_reserved(Ok(event), memory).await.is_ok(),
            None => self.events.send(Ok(event)).await.is_ok(),
        }
    }
}

/// How a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RelayEnd {
    /// Dify ended the run.
    Finished,
    /// The reader disconnected, or Dify's stream is broken. The run may continue at Dify.
    Unfinished,
}

/// The stream of a run.
pub(super) struct Relay {
    response: Response,
    frames: SseParser,
    progress: Progress,
    requested: RequestedIds,
    /// The memory of the event that is being read, if it is long.
    memory: MemoryPermit,
    /// The id by which the run is stopped; `None` before the first event.
    pub(super) task_id: Option<String>,
}

impl Relay {
    /// `memory` is a permit of nothing.
    pub(super) fn new(response: Response, mode: AppMode, requested: RequestedIds, memory: MemoryPermit) -> Self {
        let (frames, progress) = (SseParser::default(), Progress::new(mode));
        Self { response, frames, progress, requested, memory, task_id: None }
    }

    /// Sends every event. The first frame must arrive before the deadline, and each later one within the idle timeout.
    pub(super) async fn run(&mut self, sender: &mut RunSender, first_byte_deadline: Instant) -> RelayEnd {
        let mut first = true;
        loop {
            let frame = async {
                let next = self.next();
                let deadline = if first { first_byte_deadline } else { Instant::now() + IDLE_TIMEOUT };
                timeout_at(deadline, next).await.unwrap_or_else(|_| Err(timed_out()))
            };
            let frame = tokio::select! {
                biased;
                () = sender.events.closed() => return RelayEnd::Unfinished,
                frame = frame => frame,
            };
            first = false;
            match frame.and_then(|frame| self.read(frame)) {
                Ok(FrameContent::Event(event)) => {
                    let length = event.json.len();
                    let memory = (length > SHORT_EVENT).then(|| self.memory.split(length * EVENT_FACTOR));
                    if !sender.send(event, memory).await {
                        return RelayEnd::Unfinished;
                    }
                }
                Ok(FrameContent::Ping) => sender.start(),
                Ok(FrameContent::EndOfStream) => return RelayEnd::Finished,
                Err((end, error)) => {
                    sender.fail(error).await;
                    return end;
                }
            }
            if self.progress.is_finished() {
                return RelayEnd::Finished;
            }
        }
    }

    /// Reads the rest of the stream after the last event, within a timeout.
    pub(super) async fn read_to_end(&mut self) {
        let rest = async { while let Ok(Some(_)) = self.response.chunk().await {} };
        let _ = timeout(REST_TIMEOUT, rest).await;
    }

    /// Reads until the task id is known or the deadline passes.
    pub(super) async fn read_task_id(&mut self, deadline: Instant) {
        let read = async {
            while self.task_id.is_none() {
                match self.next().await.and_then(|frame| self.read(frame)) {
                    Ok(FrameContent::Event(_) | FrameContent::Ping) => {}
                    Ok(FrameContent::EndOfStream) | Err(_) => return,
                }
            }
        };
        let _ = timeout_at(deadline, read).await;
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<SseFrame>, (RelayEnd, Error)> {
        loop {
            if let Some(frame) = self.frames.take().map_err(unreadable)? {
                return Ok(Some(frame));
            }
            match self.response.chunk().await {
                Ok(Some(chunk)) => {
                    let length = self.frames.buffered() + chunk.len();
                    let bytes = if length > SHORT_EVENT { length * EVENT_FACTOR } else { 0 };
                    self.memory.resize(bytes).map_err(|error| (RelayEnd::Unfinished, error.into()))?;
                    self.frames.push(&chunk);
                }
                Ok(None) => return Ok(None),
                Err(cause) => return Err((RelayEnd::Unfinished, truncated().with_source(cause.without_url()))),
            }
        }
    }

    fn read(&mut self, frame: Option<SseFrame>) -> Result<FrameContent, (RelayEnd, Error)> {
        let json = match frame {
            Some(SseFrame::Data(json)) => json,
            Some(SseFrame::Ping) => return Ok(FrameContent::Ping),
            None if self.progress.may_end() => return Ok(FrameContent::EndOfStream),
            None => return Err((RelayEnd::Unfinished, truncated())),
        };
        let text = std::str::from_utf8(&json).map_err(unreadable)?;
        if !text.trim_start().starts_with('{') {
            return Err(unreadable(NotAnObjectError));
        }
        let EventName { event } = serde_json::from_str(text).map_err(unreadable)?;
        if self.task_id.is_none() {
            let task_id = serde_json::from_str(text).ok().map(|EventTaskId { task_id }| task_id);
            self.task_id = task_id.filter(|id| is_task_id(id));
        }
        match &*event {
            "ping" => return Ok(FrameContent::Ping),
            "error" => return Err((RelayEnd::Finished, ErrorResponse::event_error(&json, self.requested))),
            event => self.progress.record(event),
        }
        let event = match EVENT_NAMES.iter().find(|known| **known == event) {
            Some(known) => Cow::Borrowed(*known),
            None => Cow::Owned(event.into_owned()),
        };
        Ok(FrameContent::Event(RunEvent { event, json }))
    }
}

enum FrameContent {
    Event(RunEvent),
    Ping,
    EndOfStream,
}

/// Whether the text is safe as a segment of a path. Dify's task ids are UUIDs.
fn is_task_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn unreadable(cause: impl std::error::Error + Send + Sync + 'static) -> (RelayEnd, Error) {
    let error = upstream_error("Dify's answer could not be understood.");
    (RelayEnd::Unfinished, error.with_source(EventParseError::new(&cause)))
}

/// A parse error without the text of the event, which may be personal data.
#[derive(Debug, thiserror::Error)]
#[error("an event of Dify's stream cannot be read: {0}")]
struct EventParseError(String);

/// The event is JSON, but not an object. Deserializing [`EventName`] would accept a list.
#[derive(Debug, thiserror::Error)]
#[error("it is not an object")]
struct NotAnObjectError;

impl EventParseError {
    fn new(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self(match cause.downcast_ref::<serde_json::Error>() {
            Some(error) => format!("{:?} at column {}", error.classify(), error.column()),
            None => cause.to_string(),
        })
    }
}

fn truncated() -> Error {
    upstream_error("Dify ended the run before it was finished.")
}

fn timed_out() -> (RelayEnd, Error) {
    (RelayEnd::Unfinished, Error::new(Code::UpstreamTimeout, "Dify took too long to answer."))
}

/// Which of the last events of a run have been received.
#[derive(Clone, Copy, Debug)]
struct Progress {
    mode: AppMode,
    message_ended: bool,
    workflow_ended: bool,
}

impl Progress {
    fn new(mode: AppMode) -> Self {
        Self { mode, message_ended: false, workflow_ended: false }
    }

    fn record(&mut self, event: &str) {
        match event {
            "message_end" => self.message_ended = true,
            // The stream also ends when the run waits for a person.
            "workflow_finished" | "workflow_paused" => self.workflow_ended = true,
            _ => {}
        }
    }

    /// Whether the stream may end here. Otherwise, its end means that the connection broke.
    fn may_end(self) -> bool {
        match self.mode {
            AppMode::Workflow => self.workflow_ended,
            AppMode::AdvancedChat => self.message_ended || self.workflow_ended,
            AppMode::Chat | AppMode::AgentChat | AppMode::Completion => self.message_ended,
        }
    }

    /// Whether the last event has been received. Dify keeps the stream open for a while after it.
    fn is_finished(self) -> bool {
        match self.mode {
            // The two events come in either order. After a failure, `error` replaces `message_end`.
            AppMode::AdvancedChat => self.message_ended && self.workflow_ended,
            _ => self.may_end(),
        }
    }
}
