//! The built-in runtime: runs what Dify's DSL describes, in this process.
//!
//! A run is a task of the process: it ends when it is over, when nobody listens any more, when its time is up or when the
//! server stops, and it is stored in each case. Nothing is written before its first event; what must be read is a
//! conversation that goes on.

mod chat_history;
pub(crate) mod engine;
pub(crate) mod graph;
mod graph_run;
pub(crate) mod json;
pub(crate) mod memory_budget;
pub(crate) mod model;
pub(crate) mod nodes;
pub(crate) mod prompt_app;
mod prompt_run;
mod published;
mod record;
pub(crate) mod secret_masks;
pub(crate) mod template;
#[cfg(test)]
mod tests;
mod token_estimate;
pub(crate) mod variables;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use self::{
    engine::RunBounds,
    graph_run::GraphRun,
    memory_budget::{MemoryBudget, MemoryReservation},
    model::{Models, PromptMessage},
    prompt_run::PromptRun,
    published::Published,
    template::TemplateRenderer,
    variables::value,
};
use super::outbound::OutboundClient;
use crate::{
    domain::{
        Code, Error, Result,
        app::{AppMode, Definition},
        conversation::{Conversation, EndUser},
        id::{ConversationId, MessageId, TaskId, WorkflowRunId},
    },
    ports::{
        clock::Clock,
        entropy::Entropy,
        runtime::{self, AppRuntime, EVENTS_AHEAD, RunEvents, RunRequest, RunStream},
    },
    store::sql::SqlStore,
    telemetry::request_id,
};

/// When to come back where as much runs as may.
const BUSY_FOR: Duration = Duration::from_secs(1);

/// What a run takes, however small: its tasks, its channels, events on their way. In bytes.
const LEAST: usize = 64 << 10;
/// How often what came with a request is there while it runs: in prompts, in events, in rows about to be written.
const COPIES: usize = 6;

/// What the runtime stands on.
pub(crate) struct RuntimeParts {
    /// Where conversations and runs are kept.
    pub sql: Arc<SqlStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// The models.
    pub models: Arc<dyn Models>,
    /// Sends the requests of HTTP nodes.
    pub outbound: Arc<OutboundClient>,
    /// Renders the templates of graphs.
    pub templates: Arc<TemplateRenderer>,
    /// Has every run, so that the process can wait for them.
    pub tasks: TaskTracker,
    /// Ends every run.
    pub end: CancellationToken,
}

/// The runtime.
pub(crate) struct BuiltinRuntime(Arc<Inner>);

struct Inner {
    base: RuntimeParts,
    limits: RunBounds,
    runs: Arc<Semaphore>,
    memory_budget: MemoryBudget,
    published: Published,
}

impl BuiltinRuntime {
    /// A runtime with at most `max_runs` runs at a time, each within `limits`.
    pub(crate) fn new(base: RuntimeParts, limits: RunBounds, max_runs: usize) -> Self {
        let runs = Arc::new(Semaphore::new(max_runs.min(Semaphore::MAX_PERMITS)));
        let memory_budget = MemoryBudget::new(limits.all_runs);
        Self(Arc::new(Inner { base, limits, runs, memory_budget, published: Published::default() }))
    }
}

/// What was asked for, without the app's definition: that may be large, and a run that has begun needs it no more.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The app's mode.
    pub mode: AppMode,
    /// Values of the form's variables.
    pub inputs: Map<String, Value>,
    /// The form's variables, filled in or not.
    pub form: Vec<String>,
    /// What was said.
    pub query: Option<String>,
    /// Whether files came along.
    pub has_files: bool,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
}

/// A run that is about to begin.
struct Begun {
    asked: Asked,
    end_user: EndUser,
    ids: Ids,
    /// The conversation that goes on, without its exchanges; `None` begins one.
    conversation: Option<Conversation>,
    /// What was said in it.
    history: Vec<PromptMessage>,
}

impl Begun {
    /// What it takes in memory, its variables aside, in bytes.
    fn weight(&self) -> usize {
        let inputs: usize = self.asked.inputs.values().map(value::weight).sum();
        let query = self.asked.query.as_ref().map_or(0, String::len);
        let history: usize = self.history.iter().map(|message| message.text.len()).sum();
        LEAST + COPIES * (inputs + query + history)
    }
}

/// A run's place among the others, and its share of their memory.
struct Place {
    _slot: OwnedSemaphorePermit,
    _memory: MemoryReservation,
}

/// The ids of one run. Not all are used by every mode.
#[derive(Clone, Copy, Debug)]
struct Ids {
    conversation: ConversationId,
    message: MessageId,
    task: TaskId,
    workflow_run: WorkflowRunId,
}

impl Ids {
    fn new(entropy: &dyn Entropy, conversation: Option<ConversationId>) -> Result<Self> {
        Ok(Self {
            conversation: conversation.map_or_else(|| entropy.uuid_v4().map(ConversationId), Ok)?,
            message: MessageId(entropy.uuid_v4()?),
            task: TaskId(entropy.uuid_v4()?),
            workflow_run: WorkflowRunId(entropy.uuid_v4()?),
        })
    }
}

#[async_trait]
impl AppRuntime for BuiltinRuntime {
    /// Comes back before the model has said anything: a failure of its own is then the first thing in the stream, and whoever
    /// reads it can tell it from one that comes later, without holding up a model that thinks for long.
    async fn start(&self, run: RunRequest) -> Result<RunStream> {
        let inner = &self.0;
        let slot = Arc::clone(&inner.runs).try_acquire_owned().map_err(|_| busy())?;
        let mode = run.app.mode;
        let (begun, definition) = inner.begin(run).await?;
        let mut memory = inner.memory_budget.reservation();
        if !memory.resize(begun.weight()) {
            return Err(busy());
        }
        let place = Place { _slot: slot, _memory: memory };
        match (definition, mode.has_graph()) {
            (Definition::Model(config), false) => {
                let run = PromptRun::new(inner, begun, &config)?;
                Ok(inner.spawn(place, |inner, out| async move { run.run(&inner, out).await }))
            }
            (Definition::Workflow(workflow), true) => {
                let run = GraphRun::new(inner, begun, &workflow)?;
                Ok(inner.spawn(place, |inner, out| async move { run.run(&inner, out).await }))
            }
            _ => Err(Error::new(Code::AppUnavailable, "This app has no published version that can be run.")),
        }
    }
}

fn busy() -> Error {
    let message = "This server is at capacity. Try again shortly.";
    Error::new(Code::RateLimited, message).with_retry_after(BUSY_FOR)
}

impl Inner {
    /// Finds the conversation that goes on; anyone else's, another app's and a deleted one are `not_found`.
    async fn begin(&self, run: RunRequest) -> Result<(Begun, Definition)> {
        let mode = run.app.mode;
        let end_user = EndUser { workspace_id: run.app.workspace_id, app_id: run.app.id, user: run.user };
        let going_on = run.conversation_id.filter(|_| mode.is_chat());
        let ids = Ids::new(&*self.base.entropy, going_on)?;
        let mut conversation = None;
        if let Some(id) = going_on {
            let sql = &self.base.sql;
            let found =
                sql.find_conversation(id, &end_user, chat_history::MAX_EXCHANGES, chat_history::MAX_CHARACTERS).await?;
            conversation = Some(found.ok_or_else(|| Error::not_found("There is no such conversation."))?);
        }
        let exchanges = conversation.as_mut().map(|conversation| std::mem::take(&mut conversation.exchanges));
        let history = chat_history::prompt_messages(&exchanges.unwrap_or_default());
        let asked = Asked {
            mode,
            inputs: run.inputs,
            form: run.definition.variables().iter().map(|variable| variable.name.to_owned()).collect(),
            query: run.query,
            has_files: !run.files.is_empty(),
            auto_generate_name: run.auto_generate_name,
        };
        Ok((Begun { asked, end_user, ids, conversation, history }, run.definition))
    }

    /// Runs as a task of the process, under the request's id and span.
    fn spawn<F>(self: &Arc<Self>, place: Place, run: impl FnOnce(Arc<Self>, RunEvents) -> F) -> RunStream
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (out, stream) = runtime::events(EVENTS_AHEAD);
        let run = run(Arc::clone(self), out);
        let run = async move {
            run.await;
            drop(place);
        };
        self.base.tasks.spawn(request_id::scope(request_id::current(), run).in_current_span());
        stream
    }
}
