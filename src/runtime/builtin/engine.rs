//! Runs a graph: starts each node when everything it waits for is decided, streams what answers say while models still speak, and
//! tells every step as an event.
//!
//! One run is one future: the nodes run inside it, side by side, so dropping it stops them all, and whoever reads the events
//! slowly slows down this run and nothing else. The engine knows neither databases nor HTTP; what it needs it is given.

mod attempt;
mod ending;
mod event;
mod frame;
mod iteration;
mod schedule;
mod stream;
mod tell;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use self::schedule::{Halt, Schedule};
use super::{
    graph::topology::Graph,
    memory_budget::MemoryBudget,
    model::{Models, PromptMessage, Usage},
    secret_masks::SecretMasks,
    template::TemplateRenderer,
    variables::{DeclaredTypes, SystemVariables},
};
use crate::{
    domain::{
        conversation::RunStatus,
        id::{ConversationId, MessageId, TaskId, WorkflowId, WorkflowRunId},
    },
    ports::{clock::Clock, entropy::Entropy, runtime::RunEvents},
    runtime::outbound::RunOutboundClient,
};

/// What one run may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunBounds {
    /// How long it may take.
    pub run: Duration,
    /// How long one attempt of one node may take.
    pub node: Duration,
    /// Nodes of the graph itself that may run.
    pub steps: usize,
    /// Nodes that may run in all, those inside iterations included.
    pub steps_in_all: usize,
    /// What one variable may take, in bytes; also the longest prompt and the longest answer of a model.
    pub variable: usize,
    /// What all variables may take, in bytes.
    pub variables: usize,
    /// What all runs of the process may take together, in bytes.
    pub all_runs: usize,
    /// What may be said in all, in bytes.
    pub answer: usize,
    /// How long the last events wait for a reader that is slow, once the run is over.
    pub grace: Duration,
}

impl Default for RunBounds {
    fn default() -> Self {
        Self {
            run: Duration::from_mins(20),
            node: Duration::from_mins(10),
            steps: 500,
            steps_in_all: 20_000,
            variable: 2 << 20,
            variables: 32 << 20,
            all_runs: 512 << 20,
            answer: 4 << 20,
            grace: Duration::from_secs(5),
        }
    }
}

/// The conversation that a run belongs to, and the message it writes there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversation {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
}

/// Who runs it, as `workflow_finished` tells.
#[derive(Clone, Debug)]
pub(crate) struct CreatedBy {
    /// The end user's id.
    pub id: String,
    /// The caller, as the app's data knows them.
    pub user: String,
}

/// A run that can begin.
pub(crate) struct Execution {
    /// What is run.
    pub graph: Arc<Graph>,
    /// Values of the form's variables.
    pub inputs: Map<String, Value>,
    /// `sys.*`.
    pub system: SystemVariables,
    /// `env.*`.
    pub environment: Map<String, Value>,
    /// The secrets among them.
    pub masks: SecretMasks,
    /// `conversation.*`, with a value for every variable there is.
    pub conversation_variables: Map<String, Value>,
    /// The types that the app declares for them.
    pub conversation_types: DeclaredTypes,
    /// This run, as the stop call names it.
    pub task_id: TaskId,
    /// This run.
    pub workflow_run_id: WorkflowRunId,
    /// The version of the graph.
    pub workflow_id: WorkflowId,
    /// The conversation, for advanced-chat; its events differ.
    pub conversation: Option<Conversation>,
    /// Who runs it.
    pub created_by: CreatedBy,
    /// What was said before, oldest first.
    pub history: Vec<PromptMessage>,
    /// The models.
    pub models: Arc<dyn Models>,
    /// The templates.
    pub templates: Arc<TemplateRenderer>,
    /// Sends the requests of `http-request` nodes.
    pub outbound: RunOutboundClient,
    /// Tells when things happened.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of executions.
    pub entropy: Arc<dyn Entropy>,
    /// What it may use.
    pub limits: RunBounds,
    pub memory_budget: MemoryBudget,
}

/// What is left of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// How it ended.
    pub status: RunStatus,
    /// What `end` nodes put out; for advanced-chat `answer` and `files`.
    pub outputs: Map<String, Value>,
    /// What was said: exactly what its `message` events say.
    pub answer: String,
    /// Why it failed or was stopped.
    pub error: Option<String>,
    /// How long it took.
    pub elapsed: Duration,
    /// What models took.
    pub usage: Usage,
    /// Nodes that ran.
    pub total_steps: usize,
    /// Nodes that failed as the graph provides for.
    pub exceptions_count: usize,
    /// What the conversation keeps now.
    pub conversation_variables: Map<String, Value>,
}

impl Outcome {
    /// Tokens of prompts and answers together.
    pub(crate) fn total_tokens(&self) -> u64 {
        self.usage.total_tokens()
    }
}

impl Execution {
    /// Runs it, from `workflow_started` to `workflow_finished`; for advanced-chat with `message_end` right before the latter,
    /// however the run ended. When `events` is closed the run stops. There always is an outcome, so that it can be stored.
    pub(crate) async fn run(self, events: &RunEvents) -> Outcome {
        let started = Instant::now();
        let graph = self.graph.clone();
        let mut schedule = Schedule::new(&self, &graph, events);
        let (status, error) = match schedule.run().await {
            Ok(()) if schedule.exceptions > 0 => (RunStatus::PartlySucceeded, None),
            Ok(()) => (RunStatus::Succeeded, None),
            Err(Halt::Failed(message)) => (RunStatus::Failed, Some(message)),
            Err(Halt::Late) => {
                (RunStatus::Failed, Some(format!("The run took longer than {} seconds", self.limits.run.as_secs())))
            }
            Err(Halt::Deserted) => (RunStatus::Stopped, Some("The client disconnected".to_owned())),
        };
        let outcome = schedule.outcome(status, error, started.elapsed());
        schedule.tell_end(&outcome).await;
        outcome
    }
}

#[cfg(test)]
mod tests;
