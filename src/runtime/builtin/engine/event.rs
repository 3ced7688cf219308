//! The events of a run, as Dify's service API writes them: one JSON object on one line each (contract section 6).

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::{
    sync::mpsc::error::TrySendError,
    time::{Instant, timeout_at},
};

use super::{Execution, schedule::Halt};
use crate::{
    domain::Error,
    ports::runtime::{RunEvent, RunEvents},
    runtime::builtin::{json::JsonObject, model::usage::UsageBlock},
};

/// Dify's currency where nothing has a price.
const CURRENCY: &str = "USD";

/// Writes events and hands them on.
pub(super) struct Teller<'a> {
    events: &'a RunEvents,
    /// When waiting for the reader ends.
    deadline: Instant,
    task_id: String,
    workflow_run_id: String,
    conversation: Option<Talk>,
}

/// What every event of a conversation carries.
struct Talk {
    conversation_id: String,
    message_id: String,
    /// Unix seconds.
    created_at: i64,
}

/// What all events have in common.
#[derive(Serialize)]
struct Envelope<'a, T> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    task_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_run_id: Option<&'a str>,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
pub(super) struct WorkflowStarted<'a> {
    pub id: &'a str,
    pub workflow_id: &'a str,
    pub inputs: &'a JsonObject,
    pub created_at: i64,
}

#[derive(Serialize)]
pub(super) struct WorkflowFinished<'a> {
    pub id: &'a str,
    pub workflow_id: &'a str,
    pub status: &'static str,
    pub outputs: &'a JsonObject,
    pub error: Option<&'a str>,
    pub elapsed_time: f64,
    pub total_tokens: u64,
    pub total_steps: usize,
    pub created_by: CreatedBy<'a>,
    pub created_at: i64,
    pub finished_at: i64,
    pub exceptions_count: usize,
    pub files: [(); 0],
}

#[derive(Serialize)]
pub(super) struct CreatedBy<'a> {
    pub id: &'a str,
    pub user: &'a str,
}

/// What is told of a node when it starts.
#[derive(Clone, Copy, Serialize)]
pub(super) struct NodeStarted<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    pub index: usize,
    pub predecessor_node_id: Option<&'a str>,
    pub inputs: Option<&'a JsonObject>,
    pub created_at: i64,
    pub extras: Empty,
    pub parallel_id: (),
    pub parallel_start_node_id: (),
    pub parent_parallel_id: (),
    pub parent_parallel_start_node_id: (),
    pub iteration_id: Option<&'a str>,
    pub loop_id: (),
}

/// What is told of a node when an attempt of it has ended.
#[derive(Serialize)]
pub(super) struct NodeFinished<'a> {
    #[serde(flatten)]
    pub node: NodeStarted<'a>,
    pub process_data: Option<&'a JsonObject>,
    pub outputs: Option<&'a JsonObject>,
    pub status: &'static str,
    pub error: Option<&'a str>,
    pub elapsed_time: f64,
    pub execution_metadata: Option<Metadata<'a>>,
    pub finished_at: i64,
    pub files: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_index: Option<u32>,
}

/// An object without members.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Empty {}

/// What a node took.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Metadata<'a> {
    #[serde(flatten)]
    pub tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration_id: Option<&'a str>,
}

/// Tokens, and their price.
#[derive(Clone, Copy, Serialize)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub(super) struct Tokens {
    total_tokens: u64,
    total_price: &'static str,
    currency: &'static str,
}

impl Tokens {
    /// So many tokens, for nothing.
    pub(super) fn new(total_tokens: u64) -> Self {
        Self { total_tokens, total_price: "0", currency: CURRENCY }
    }
}

#[derive(Serialize)]
pub(super) struct IterationStarted<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    pub created_at: i64,
    pub extras: Empty,
    pub metadata: IterationLength,
    pub inputs: Iterated<'a>,
}

#[derive(Serialize)]
pub(super) struct IterationLength {
    pub iterator_length: usize,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct Iterated<'a> {
    pub iterator_selector: &'a [Value],
}

#[derive(Serialize)]
pub(super) struct IterationNext<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    pub index: usize,
    pub created_at: i64,
    pub extras: Empty,
}

#[derive(Serialize)]
pub(super) struct IterationCompleted<'a> {
    pub id: &'a str,
    pub node_id: &'a str,
    pub node_type: &'static str,
    pub title: &'a str,
    pub outputs: &'a JsonObject,
    pub created_at: i64,
    pub extras: Empty,
    pub inputs: Iterated<'a>,
    pub status: &'static str,
    pub error: Option<&'a str>,
    pub elapsed_time: f64,
    pub total_tokens: u64,
    pub execution_metadata: Tokens,
    pub finished_at: i64,
    pub steps: usize,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct TextChunk<'a> {
    text: &'a str,
    from_variable_selector: &'a [&'a str],
}

#[derive(Serialize)]
struct TextReplace<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    answer: &'a str,
    from_variable_selector: &'a [&'a str],
}

#[derive(Serialize)]
struct MessageReplace<'a> {
    answer: &'a str,
    reason: &'static str,
}

#[derive(Serialize)]
struct MessageEnd<'a> {
    id: &'a str,
    metadata: MessageMetadata<'a>,
    files: [(); 0],
}

#[derive(Serialize)]
struct MessageMetadata<'a> {
    retriever_resources: [(); 0],
    usage: &'a UsageBlock,
}

impl<'a> Teller<'a> {
    /// Tells of this run.
    pub(super) fn new(execution: &Execution, events: &'a RunEvents, deadline: Instant) -> Self {
        let talk = |conversation: super::Conversation| Talk {
            conversation_id: conversation.conversation_id.to_string(),
            message_id: conversation.message_id.to_string(),
            created_at: execution.clock.now().timestamp(),
        };
        Self {
            events,
            deadline,
            task_id: execution.task_id.to_string(),
            workflow_run_id: execution.workflow_run_id.to_string(),
            conversation: execution.conversation.map(talk),
        }
    }

    /// Waits for the reader until then at most.
    pub(super) fn until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// The run's id.
    pub(super) fn run_id(&self) -> &str {
        &self.workflow_run_id
    }

    /// An event of the graph.
    pub(super) async fn tell(&self, event: &'static str, data: impl Serialize) -> Result<(), Halt> {
        self.send(event, Some(&self.workflow_run_id), Data { data }).await
    }

    /// Words, and where they come from.
    pub(super) async fn say(&self, words: &str, from: &[&str]) -> Result<(), Halt> {
        match &self.conversation {
            Some(talk) => {
                let message = Message { id: &talk.message_id, answer: words, from_variable_selector: from };
                self.send("message", None, message).await
            }
            None => self.tell("text_chunk", TextChunk { text: words, from_variable_selector: from }).await,
        }
    }

    /// All words so far, in place of those said: some were taken back.
    pub(super) async fn say_instead(&self, words: &str) -> Result<(), Halt> {
        match &self.conversation {
            Some(_) => self.send("message_replace", None, MessageReplace { answer: words, reason: "retry" }).await,
            None => self.tell("text_replace", TextReplace { text: words }).await,
        }
    }

    /// The end of the message, in a conversation.
    pub(super) async fn end_message(&self, usage: &UsageBlock) -> Result<(), Halt> {
        let Some(talk) = &self.conversation else { return Ok(()) };
        let metadata = MessageMetadata { retriever_resources: [], usage };
        self.send("message_end", None, MessageEnd { id: &talk.message_id, metadata, files: [] }).await
    }

    async fn send(&self, event: &'static str, workflow_run_id: Option<&str>, rest: impl Serialize) -> Result<(), Halt> {
        let talk = self.conversation.as_ref();
        let envelope = Envelope {
            event,
            conversation_id: talk.map(|talk| talk.conversation_id.as_str()),
            message_id: talk.map(|talk| talk.message_id.as_str()),
            created_at: talk.map(|talk| talk.created_at),
            task_id: &self.task_id,
            workflow_run_id,
            rest,
        };
        // What is told is all texts and numbers: writing it cannot fail.
        let json = serde_json::to_vec(&envelope).map_err(|fault| Halt::Failed(Error::internal(fault).to_string()))?;
        match self.events.try_send(Ok(RunEvent { event: event.into(), json: Bytes::from(json) })) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Halt::Deserted),
            Err(TrySendError::Full(event)) => match timeout_at(self.deadline, self.events.send(event)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Halt::Deserted),
                Err(_) => Err(Halt::Late),
            },
        }
    }
}
