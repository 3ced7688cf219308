//! What runs apps: Dify's own service API beside Dify, the built-in runtime elsewhere.
//!
//! A run is a bounded stream of events. Whoever holds the stream holds the run: dropping it cancels the run, and a reader
//! that is slow slows down its own run and nothing else.

use std::borrow::Cow;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::domain::{
    Result,
    app::{App, Definition},
    id::{ConversationId, WorkflowId},
};

/// Events a run may be ahead of its reader.
pub const EVENTS_AHEAD: usize = 64;

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

/// A run under way. A failure is the last thing it yields.
#[derive(Debug)]
pub struct RunStream(pub mpsc::Receiver<Result<RunEvent>>);

impl RunStream {
    /// The next event; `None` when the run is over.
    pub async fn next(&mut self) -> Option<Result<RunEvent>> {
        self.0.recv().await
    }
}

/// Where a runtime puts the events of one run. It is closed when nobody listens any more: the run is cancelled.
pub type RunEvents = mpsc::Sender<Result<RunEvent>>;

/// A runtime.
#[async_trait]
pub trait AppRuntime: Send + Sync + 'static {
    /// Starts a run. What is wrong before it begins is the error; what goes wrong later comes out of the stream.
    /// `app_unavailable`, `not_found` for a conversation that is not the caller's, `rate_limited`, `upstream_error`, `upstream_timeout`.
    async fn start(&self, run: RunRequest) -> Result<RunStream>;
}
