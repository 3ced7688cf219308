//! The events of one run of a prompt app.

use crate::{
    domain::{
        Result,
        app::AppMode,
        id::{AgentThoughtId, ConversationId, MessageId, TaskId},
    },
    ports::runtime::RunEvent,
    runtime::builtin::events::{
        envelope::EventHead,
        message::{
            AgentMessage, AgentThought, ErrorEvent, Message, MessageEnd, MessageMetadata, MessageReplace, NoMembers,
        },
    },
};

/// Writes the events of one run.
#[derive(Clone, Debug)]
pub(crate) struct PromptAppEvents {
    mode: AppMode,
    message_id: String,
    thought_id: String,
    head: EventHead,
}

impl PromptAppEvents {
    /// `created_at` is in Unix seconds.
    pub(crate) fn new(
        mode: AppMode,
        conversation: ConversationId,
        message: MessageId,
        (task, thought): (TaskId, AgentThoughtId),
        created_at: i64,
    ) -> Self {
        let message_id = message.to_string();
        let head = EventHead {
            conversation_id: (mode != AppMode::Completion).then(|| conversation.to_string()),
            message_id: Some(message_id.clone()),
            created_at: Some(created_at),
            task_id: task.to_string(),
        };
        Self { mode, message_id, thought_id: thought.to_string(), head }
    }

    /// A piece of the answer.
    pub(crate) fn message(&self, answer: &str) -> Result<RunEvent> {
        let id = &self.message_id;
        if self.mode == AppMode::AgentChat {
            return self.head.event("agent_message", AgentMessage { id, answer });
        }
        self.head.event("message", Message { id, answer, from_variable_selector: None })
    }

    /// The one step of an agent: empty when it begins, and with the answer when it ends. `None` for other apps.
    pub(crate) fn agent_thought(&self, thought: &str) -> Option<Result<RunEvent>> {
        let step = AgentThought {
            id: &self.thought_id,
            position: 1,
            thought,
            observation: "",
            tool: "",
            tool_labels: NoMembers {},
            tool_input: "",
            message_files: [],
        };
        (self.mode == AppMode::AgentChat).then(|| self.head.event("agent_thought", step))
    }

    /// Replaces the answer so far.
    pub(crate) fn message_replace(&self, answer: &str) -> Result<RunEvent> {
        self.head.event("message_replace", MessageReplace { answer, reason: "" })
    }

    /// The answer is complete.
    pub(crate) fn message_end(&self, metadata: &MessageMetadata) -> Result<RunEvent> {
        self.head.event("message_end", MessageEnd { id: &self.message_id, metadata, files: None })
    }

    /// The model failed after the answer began. The code is Dify's.
    pub(crate) fn model_failed(&self, message: &str) -> Result<RunEvent> {
        self.head.event("error", ErrorEvent { status: 400, code: "completion_request_error", message })
    }
}
