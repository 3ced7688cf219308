//! Conversations, and what is kept of runs: who ran what, what was said, and how it ended.
//!
//! Words and values are those of Dify's tables; `openapi` is never among them, for Dify refuses to read what it does not know.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::{
    app::mode::AppMode,
    id::{AppId, ConversationId, EndUserId, MessageId, ModelConfigId, WorkflowId, WorkflowRunId, WorkspaceId},
};

/// What Dify calls a conversation that has no name yet.
const UNNAMED: &str = "New conversation";
/// Characters of a query that fit into a name, and as many as are kept of one that does not.
const NAME_FITS: usize = 50;
const NAME_KEPT: usize = 47;

/// A caller as an app's data knows them: a row of `end_users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndUser {
    /// Whose app it is.
    pub workspace_id: WorkspaceId,
    /// The app.
    pub app_id: AppId,
    /// The caller, stable and opaque.
    pub user: String,
}

impl EndUser {
    /// The row's id, which follows from who it is: any number of first runs at once make one row, and a conversation's
    /// owner is known without reading it. A UUID of version 8 (RFC 9562 section 5.8).
    pub fn id(&self) -> EndUserId {
        let digest = Sha256::new()
            .chain_update(self.workspace_id.0)
            .chain_update(self.app_id.0)
            .chain_update(&self.user)
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        EndUserId(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// A query and what it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What was said.
    pub query: String,
    /// What was answered; never empty.
    pub answer: String,
}

/// A conversation that goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// What the app said first.
    pub introduction: String,
    /// Runs there were.
    pub dialogue_count: u32,
    /// Variables it keeps, by name.
    pub variables: Map<String, Value>,
    /// The last exchanges, oldest first.
    pub exchanges: Vec<Exchange>,
}

/// What a run has come to, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Every node that ran succeeded.
    Succeeded,
    /// Nodes failed, and the graph provides for that.
    PartlySucceeded,
    /// A node failed, and with it the run.
    Failed,
    /// Nobody listened any more, or the server stopped.
    Stopped,
}

impl RunStatus {
    /// Its word on the wire and in `workflow_runs.status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::PartlySucceeded => "partial-succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It came to its end.
    Succeeded,
    /// It came to its end past failures that the graph provides for.
    PartlySucceeded,
    /// It failed, for this reason.
    Failed(String),
    /// It was cancelled, for this reason: the client left, or the server stopped.
    Stopped(String),
}

impl Ending {
    /// What the run has come to.
    pub const fn status(&self) -> RunStatus {
        match self {
            Self::Succeeded => RunStatus::Succeeded,
            Self::PartlySucceeded => RunStatus::PartlySucceeded,
            Self::Failed(_) => RunStatus::Failed,
            Self::Stopped(_) => RunStatus::Stopped,
        }
    }

    /// Its word in `messages.status`. Dify knows no stopped message: it keeps what was said, as here.
    pub fn message_status(&self) -> &'static str {
        match self {
            Self::Failed(_) => "error",
            _ => "normal",
        }
    }

    /// What is told of it.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Succeeded | Self::PartlySucceeded => None,
            Self::Failed(reason) | Self::Stopped(reason) => Some(reason),
        }
    }
}

/// A run that is over, with everything that is kept of it.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Who ran it.
    pub end_user: EndUser,
    /// The app's mode.
    pub mode: AppMode,
    /// Values of the form's variables.
    pub inputs: Map<String, Value>,
    /// How it ended.
    pub ending: Ending,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// What was said in it, unless it is a workflow.
    pub message: Option<MessageRecord>,
    /// The run of its graph, when it has one.
    pub workflow_run: Option<WorkflowRunRecord>,
}

/// A query and its answer: a row of `messages`, and of `conversations` when it is the first.
#[derive(Clone, Debug)]
pub struct MessageRecord {
    /// Its id.
    pub id: MessageId,
    /// The conversation's.
    pub conversation_id: ConversationId,
    /// What a conversation is begun with; `None` goes on with one.
    pub begins: Option<NewConversation>,
    /// The model, unless a graph decides.
    pub model: Option<ModelName>,
    /// What was said.
    pub query: String,
    /// What the model was asked, as Dify keeps it: `[{"role", "text", "files"}]`.
    pub prompt: Value,
    /// What was answered.
    pub answer: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// What the model took.
    pub latency: Duration,
    /// The `metadata` of the last event.
    pub metadata: Value,
    /// The conversation's variables that the run changed; all of them where it begins the conversation.
    pub variables: Map<String, Value>,
}

/// The provider and name of a model, as the app says them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    /// The DSL's provider.
    pub provider: String,
    /// The DSL's name.
    pub name: String,
}

/// What is kept of a conversation from its beginning.
#[derive(Clone, Debug)]
pub struct NewConversation {
    /// Its name.
    pub name: String,
    /// What the app says first.
    pub introduction: String,
    /// The configuration it is held with, unless a graph decides.
    pub model_config_id: Option<ModelConfigId>,
}

impl NewConversation {
    /// A name from the first query, as Dify makes one without a model's help.
    pub fn name_of(query: Option<&str>) -> String {
        match query.map(str::trim).filter(|query| !query.is_empty()) {
            None => UNNAMED.to_owned(),
            Some(query) if query.chars().count() <= NAME_FITS => query.to_owned(),
            Some(query) => query.chars().take(NAME_KEPT).chain("...".chars()).collect(),
        }
    }
}

/// The run of a graph: a row of `workflow_runs`.
#[derive(Clone, Debug)]
pub struct WorkflowRunRecord {
    /// Its id.
    pub id: WorkflowRunId,
    /// The version that ran.
    pub workflow_id: WorkflowId,
    /// That version's name: a date, as Dify writes it.
    pub version: String,
    /// The graph, as it ran: JSON, shared by all runs of the version.
    pub graph: Arc<str>,
    /// Inputs with the system's variables, as Dify keeps them.
    pub inputs: Value,
    /// What it came to.
    pub outputs: Value,
    /// How long it took.
    pub elapsed: Duration,
    /// Tokens of all its models.
    pub total_tokens: u64,
    /// Nodes that ran.
    pub total_steps: u32,
    /// Failures that the graph provides for.
    pub exceptions_count: u32,
}

/// The parent of every message of the service API, in Dify's words: none in particular.
pub(crate) const NO_PARENT: Uuid = Uuid::nil();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_user_is_one_row_for_each_app_and_caller() {
        let user = |app: u128, user: &str| EndUser {
            workspace_id: WorkspaceId(Uuid::from_u128(1)),
            app_id: AppId(Uuid::from_u128(app)),
            user: user.to_owned(),
        };
        assert_eq!(user(2, "a").id(), user(2, "a").id());
        assert_ne!(user(2, "a").id(), user(3, "a").id());
        assert_ne!(user(2, "a").id(), user(2, "b").id());
        assert_eq!(user(2, "a").id().0.get_version_num(), 8);
    }

    #[test]
    fn a_conversation_is_named_after_its_first_query() {
        assert_eq!(NewConversation::name_of(None), "New conversation");
        assert_eq!(NewConversation::name_of(Some("  ")), "New conversation");
        assert_eq!(NewConversation::name_of(Some(" Hi ")), "Hi");
        assert_eq!(NewConversation::name_of(Some(&"ü".repeat(50))), "ü".repeat(50));
        assert_eq!(NewConversation::name_of(Some(&"ü".repeat(51))), format!("{}...", "ü".repeat(47)));
    }
}
