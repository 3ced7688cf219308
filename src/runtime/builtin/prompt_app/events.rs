//! The events of a prompt app, as Dify's service API writes them (contract section 6).

use serde::Serialize;

use crate::{
    domain::{
        Error, Result,
        app::AppMode,
        id::{ConversationId, MessageId, TaskId},
    },
    ports::runtime::RunEvent,
    runtime::builtin::model::usage::UsageBlock,
};

/// What every event of a run has in common.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Events {
    #[serde(skip)]
    mode: AppMode,
    /// Completion apps have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    message_id: String,
    created_at: i64,
    task_id: String,
}

#[derive(Serialize)]
struct Line<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    head: &'a Events,
    #[serde(flatten)]
    rest: T,
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    answer: &'a str,
    from_variable_selector: Option<()>,
}

#[derive(Serialize)]
struct AgentMessage<'a> {
    id: &'a str,
    answer: &'a str,
}

#[derive(Serialize)]
struct MessageReplace<'a> {
    answer: &'a str,
    reason: &'static str,
}

#[derive(Serialize)]
struct MessageEnd<'a> {
    id: &'a str,
    metadata: &'a Metadata,
    files: Option<()>,
}

/// What is told of an answer, and stored with it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metadata {
    annotation_reply: Option<()>,
    retriever_resources: [(); 0],
    usage: UsageBlock,
}

impl From<UsageBlock> for Metadata {
    fn from(usage: UsageBlock) -> Self {
        Self { annotation_reply: None, retriever_resources: [], usage }
    }
}

#[derive(Serialize)]
struct Failure<'a> {
    status: u16,
    code: &'static str,
    message: &'a str,
}

impl Events {
    /// The events of one run; `created_at` in seconds since 1970.
    pub(crate) fn new(
        mode: AppMode,
        conversation: ConversationId,
        message: MessageId,
        task: TaskId,
        created_at: i64,
    ) -> Self {
        Self {
            mode,
            conversation_id: (mode != AppMode::Completion).then(|| conversation.to_string()),
            message_id: message.to_string(),
            created_at,
            task_id: task.to_string(),
        }
    }

    /// A piece of the answer.
    pub(crate) fn message(&self, answer: &str) -> Result<RunEvent> {
        if self.mode == AppMode::AgentChat {
            return self.event("agent_message", AgentMessage { id: &self.message_id, answer });
        }
        self.event("message", Message { id: &self.message_id, answer, from_variable_selector: None })
    }

    /// The answer so far is taken back for another.
    pub(crate) fn message_replace(&self, answer: &str) -> Result<RunEvent> {
        self.event("message_replace", MessageReplace { answer, reason: "" })
    }

    /// The answer is complete.
    pub(crate) fn message_end(&self, metadata: &Metadata) -> Result<RunEvent> {
        self.event("message_end", MessageEnd { id: &self.message_id, metadata, files: None })
    }

    /// The model failed after the answer had begun, in the code Dify has for it.
    pub(crate) fn model_failed(&self, message: &str) -> Result<RunEvent> {
        self.event("error", Failure { status: 400, code: "completion_request_error", message })
    }

    fn event(&self, event: &'static str, rest: impl Serialize) -> Result<RunEvent> {
        let json = serde_json::to_vec(&Line { event, head: self, rest }).map_err(Error::internal)?;
        Ok(RunEvent { event: event.into(), json: json.into() })
    }
}
