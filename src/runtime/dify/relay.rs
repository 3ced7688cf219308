//! Relays the events of one run at Dify, until the last one or until the reader disconnects.

use std::time::Duration;

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
    ports::{
        run_event::{FINISHED, PAUSED, RunEvent},
        runtime::RunEvents,
    },
};

/// Longest pause within a stream. Dify pings every ten seconds.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Events up to this many bytes are part of the memory of their run.
const SHORT_EVENT: usize = 64 << 10;
/// Memory of a long event for each of its bytes: a buffer doubles when it is full.
const EVENT_FACTOR: usize = 2;
/// How long a stream is read after its last event, so that its connection can be reused.
const REST_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(super) fn start(&mut self) {
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

    /// Also relays what follows when the run waits for a person.
    pub(super) fn continuing_on_pause(mut self, continues: bool) -> Self {
        self.progress.continues_on_pause = continues;
        self
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
        let event = RunEvent::parse(json).map_err(unreadable)?;
        if self.task_id.is_none() {
            let task_id = serde_json::from_slice(&event.json).ok().map(|EventTaskId { task_id }| task_id);
            self.task_id = task_id.filter(|id| is_task_id(id));
        }
        match &*event.event {
            "ping" => return Ok(FrameContent::Ping),
            "error" => return Err((RelayEnd::Finished, ErrorResponse::event_error(&event.json, self.requested))),
            name => self.progress.record(name),
        }
        Ok(FrameContent::Event(event))
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
    (RelayEnd::Unfinished, upstream_error("Dify's answer could not be understood.").with_source(cause))
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
    graph: GraphProgress,
    /// Whether the stream continues when the run waits for a person.
    continues_on_pause: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GraphProgress {
    Running,
    /// The run waits for a person.
    Paused,
    Ended,
}

impl Progress {
    fn new(mode: AppMode) -> Self {
        Self { mode, message_ended: false, graph: GraphProgress::Running, continues_on_pause: false }
    }

    fn record(&mut self, event: &str) {
        match event {
            "message_end" => self.message_ended = true,
            FINISHED => self.graph = GraphProgress::Ended,
            PAUSED if !self.continues_on_pause => self.graph = GraphProgress::Paused,
            _ => {}
        }
    }

    /// Whether the stream may end here. Otherwise, its end means that the connection broke.
    fn may_end(self) -> bool {
        let graph_ended = self.graph != GraphProgress::Running;
        match self.mode {
            AppMode::Workflow => graph_ended,
            AppMode::AdvancedChat => self.message_ended || graph_ended,
            AppMode::Chat | AppMode::AgentChat | AppMode::Completion => self.message_ended,
        }
    }

    /// Whether the last event has been received. Dify keeps the stream open for a while after it.
    fn is_finished(self) -> bool {
        match (self.mode, self.graph) {
            // After a failure, `error` replaces `message_end`; a run that waits has none.
            (AppMode::AdvancedChat, GraphProgress::Paused) => true,
            // The two events come in either order.
            (AppMode::AdvancedChat, graph) => self.message_ended && graph == GraphProgress::Ended,
            _ => self.may_end(),
        }
    }
}
