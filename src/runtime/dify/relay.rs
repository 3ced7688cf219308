//! One run under way at Dify: its events are handed on one by one until the last, or until nobody listens any more.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use reqwest::Response;
use serde::Deserialize;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

use super::{
    frames::{Frame, Frames},
    refusal::{self, Named, Refusal},
};
use crate::{
    domain::{Code, Error, Result, app::AppMode},
    ports::runtime::{RunEvent, RunEvents},
};

/// How long Dify may say nothing: it pings every ten seconds.
const SILENCE: Duration = Duration::from_mins(1);
/// How long the rest of a stream is read whose last event has been seen, so that its connection can be used again.
const REST_LIMIT: Duration = Duration::from_secs(5);

/// Events of Dify's, whose names need not be copied.
const EVENTS: &[&str] = &[
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

/// The one member of an event that is read of each. That the rest is JSON is checked on the way.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
}

/// The member that is read until it has been seen once.
#[derive(Deserialize)]
struct Task {
    task_id: String,
}

/// Who listens to the run: first for whether it begins, then for its events.
pub(super) struct Listener {
    began: Option<oneshot::Sender<Result<()>>>,
    events: RunEvents,
}

impl Listener {
    /// Nobody has heard of the run yet.
    pub(super) fn new(began: oneshot::Sender<Result<()>>, events: RunEvents) -> Self {
        Self { began: Some(began), events }
    }

    fn begin(&mut self) {
        if let Some(began) = self.began.take() {
            // Whoever asked may be gone; the events' channel tells.
            let _ = began.send(Ok(()));
        }
    }

    /// Ends the run with an error: as the answer before anything was heard of it, as the last item of the stream after.
    pub(super) async fn fail(&mut self, error: Error) {
        match self.began.take() {
            Some(began) => {
                let _ = began.send(Err(error));
            }
            None => {
                let _ = self.events.send(Err(error)).await;
            }
        }
    }

    /// Ends the run with an error without waiting for anybody: a reader that does not read misses it.
    pub(super) fn cut(&mut self, error: Error) {
        match self.began.take() {
            Some(began) => {
                let _ = began.send(Err(error));
            }
            None => {
                let _ = self.events.try_send(Err(error));
            }
        }
    }

    /// Hands an event on as soon as there is room for it; `false` when nobody listens any more.
    async fn hand_on(&mut self, event: RunEvent) -> bool {
        self.begin();
        self.events.send(Ok(event)).await.is_ok()
    }
}

/// How a relay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Dify said so.
    Over,
    /// The listener went away, or Dify said what cannot be understood: the run may go on there.
    Unfinished,
}

/// The stream of a run.
pub(super) struct Relay {
    response: Response,
    frames: Frames,
    progress: Progress,
    named: Named,
    /// The id that stops the run, once it is known.
    pub(super) task_id: Option<String>,
}

impl Relay {
    pub(super) fn new(response: Response, mode: AppMode, named: Named) -> Self {
        Self { response, frames: Frames::default(), progress: Progress::new(mode), named, task_id: None }
    }

    /// Hands on every event. The first byte must come before `first_byte_by`; after it, Dify may not fall silent.
    pub(super) async fn run(&mut self, listener: &mut Listener, first_byte_by: Instant) -> End {
        let mut first = true;
        loop {
            let frame = async {
                let next = self.next();
                let by = if first { first_byte_by } else { Instant::now() + SILENCE };
                timeout_at(by, next).await.unwrap_or_else(|_| Err(too_slow()))
            };
            let frame = tokio::select! {
                biased;
                () = listener.events.closed() => return End::Unfinished,
                frame = frame => frame,
            };
            first = false;
            match frame.and_then(|frame| self.read(frame)) {
                Ok(Step::Event(event)) => {
                    if !listener.hand_on(event).await {
                        return End::Unfinished;
                    }
                }
                Ok(Step::Ping) => listener.begin(),
                Ok(Step::Over) => return End::Over,
                Err((end, error)) => {
                    listener.fail(error).await;
                    return end;
                }
            }
            if self.progress.is_over() {
                return End::Over;
            }
        }
    }

    /// Reads what follows the last event, to the end of the stream, as far as it comes soon.
    pub(super) async fn finish(&mut self) {
        let rest = async { while let Ok(Some(_)) = self.response.chunk().await {} };
        let _ = timeout(REST_LIMIT, rest).await;
    }

    /// Reads on until the run's task is known, for no longer than until `by`.
    pub(super) async fn learn_task(&mut self, by: Instant) {
        let learn = async {
            while self.task_id.is_none() {
                match self.next().await.and_then(|frame| self.read(frame)) {
                    Ok(Step::Event(_) | Step::Ping) => {}
                    Ok(Step::Over) | Err(_) => return,
                }
            }
        };
        let _ = timeout_at(by, learn).await;
    }

    /// The next frame; `None` at the end of the stream.
    async fn next(&mut self) -> Result<Option<Frame>, (End, Error)> {
        loop {
            if let Some(frame) = self.frames.take().map_err(not_understood)? {
                return Ok(Some(frame));
            }
            match self.response.chunk().await {
                Ok(Some(piece)) => self.frames.push(&piece),
                Ok(None) => return Ok(None),
                Err(cause) => return Err((End::Unfinished, cut().with_source(cause.without_url()))),
            }
        }
    }

    fn read(&mut self, frame: Option<Frame>) -> Result<Step, (End, Error)> {
        let json = match frame {
            Some(Frame::Data(json)) => json,
            Some(Frame::Ping) => return Ok(Step::Ping),
            None if self.progress.may_end() => return Ok(Step::Over),
            None => return Err((End::Unfinished, cut())),
        };
        let text = std::str::from_utf8(&json).map_err(not_understood)?;
        if !text.trim_start().starts_with('{') {
            return Err(not_understood(NotAnObject));
        }
        let Head { event } = serde_json::from_str(text).map_err(not_understood)?;
        if self.task_id.is_none() {
            self.task_id = serde_json::from_str(text).ok().map(|Task { task_id }| task_id).filter(|id| is_task_id(id));
        }
        match &*event {
            "ping" => return Ok(Step::Ping),
            "error" => return Err((End::Over, Refusal::of_event(&json, self.named))),
            event => self.progress.note(event),
        }
        let event = match EVENTS.iter().find(|known| **known == event) {
            Some(known) => Cow::Borrowed(*known),
            None => Cow::Owned(event.into_owned()),
        };
        Ok(Step::Event(RunEvent { event, json }))
    }
}

/// What a frame comes to.
enum Step {
    Event(RunEvent),
    Ping,
    Over,
}

/// Dify's are UUIDs; anything else would have to be distrusted as a part of a path.
fn is_task_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn not_understood(cause: impl std::error::Error + Send + Sync + 'static) -> (End, Error) {
    (End::Unfinished, refusal::failed("Dify's answer could not be understood.").with_source(Unreadable::of(&cause)))
}

/// A fault without the text that it is about, which may be anybody's data.
#[derive(Debug, thiserror::Error)]
#[error("an event of Dify's stream cannot be read: {0}")]
struct Unreadable(String);

/// JSON, but not an object: an array would do for the members that are read.
#[derive(Debug, thiserror::Error)]
#[error("it is not an object")]
struct NotAnObject;

impl Unreadable {
    fn of(cause: &(dyn std::error::Error + 'static)) -> Self {
        Self(match cause.downcast_ref::<serde_json::Error>() {
            Some(fault) => format!("{:?} at column {}", fault.classify(), fault.column()),
            None => cause.to_string(),
        })
    }
}

fn cut() -> Error {
    refusal::failed("Dify ended the run before it was finished.")
}

fn too_slow() -> (End, Error) {
    (End::Unfinished, Error::new(Code::UpstreamTimeout, "Dify took too long to answer."))
}

/// How far a run has come, as its events tell.
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

    fn note(&mut self, event: &str) {
        match event {
            "message_end" => self.message_ended = true,
            // A run that waits for a person ends its stream, too.
            "workflow_finished" | "workflow_paused" => self.workflow_ended = true,
            _ => {}
        }
    }

    /// Whether the end of the stream would be the end of the run, and not a connection that broke.
    fn may_end(self) -> bool {
        match self.mode {
            AppMode::Workflow => self.workflow_ended,
            AppMode::AdvancedChat => self.message_ended || self.workflow_ended,
            AppMode::Chat | AppMode::AgentChat | AppMode::Completion => self.message_ended,
        }
    }

    /// Whether the last event has been seen. Dify holds its streams open for a while after it.
    fn is_over(self) -> bool {
        match self.mode {
            // The two come in either order, and after a failure an error takes the place of the message's end.
            AppMode::AdvancedChat => self.message_ended && self.workflow_ended,
            _ => self.may_end(),
        }
    }
}

/// How much of a refusal's body is read, in bytes.
const LONGEST_REFUSAL: usize = 64 << 10;

/// The beginning of an answer's body, for as long as it comes soon.
pub(super) async fn short_body(response: &mut Response) -> Bytes {
    let mut body = bytes::BytesMut::new();
    let read = async {
        while body.len() < LONGEST_REFUSAL {
            let Ok(Some(piece)) = response.chunk().await else { break };
            body.extend_from_slice(&piece[..piece.len().min(LONGEST_REFUSAL - body.len())]);
        }
    };
    let _ = timeout(REST_LIMIT, read).await;
    body.freeze()
}
