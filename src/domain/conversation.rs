//! Conversations, and the records of runs.
//!
//! Names and values are those of Dify's tables. Dify fails to read values that it does not know, so none is added here.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::{
    app::mode::AppMode,
    id::{AppId, ConversationId, EndUserId, MessageId, ModelConfigId, WorkflowId, WorkflowRunId, WorkspaceId},
};

/// Dify's name for a conversation without a first query.
const DEFAULT_NAME: &str = "New conversation";
/// Limit of characters in a name.
const MAX_NAME_LENGTH: usize = 50;
/// Characters kept of a longer query; an ellipsis follows.
const TRUNCATED_NAME_LENGTH: usize = 47;

/// An external identity that runs an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUser {
    /// In lower case.
    pub email: String,
    pub issuer: String,
}

/// A caller of an app: a row of `end_users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndUser {
    /// The app's workspace.
    pub workspace_id: WorkspaceId,
    pub app_id: AppId,
    /// A stable name of the caller: opaque for an account, the email address of an external identity.
    pub user: String,
    /// The identity provider of an external identity.
    pub issuer: Option<String>,
}

impl EndUser {
    pub fn new(workspace_id: WorkspaceId, app_id: AppId, user: String, external: Option<ExternalUser>) -> Self {
        match external {
            None => Self { workspace_id, app_id, user, issuer: None },
            Some(external) => Self { workspace_id, app_id, user: external.email, issuer: Some(external.issuer) },
        }
    }

    /// The row's id, derived from the fields, so that concurrent first runs write one row and a conversation's owner is
    /// known without a query. A UUID of version 8 (RFC 9562 section 5.8).
    pub fn id(&self) -> EndUserId {
        let mut digest =
            Sha256::new().chain_update(self.workspace_id.0).chain_update(self.app_id.0).chain_update(&self.user);
        if let Some(issuer) = &self.issuer {
            // The separator is part of no email address, so that other pairs give other ids.
            digest = digest.chain_update([0]).chain_update(issuer);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        EndUserId(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// A query and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    pub query: String,
    /// Never empty.
    pub answer: String,
}

/// A conversation that is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// The app's opening statement.
    pub introduction: String,
    /// Number of completed runs.
    pub dialogue_count: u32,
    /// The conversation's variables, by name.
    pub variables: Map<String, Value>,
    /// The last exchanges, oldest first.
    pub exchanges: Vec<Exchange>,
}

/// The result of a run, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// Every node that ran succeeded.
    Succeeded,
    /// The run completed, and the graph handled failures of nodes.
    PartlySucceeded,
    /// A node or the model failed.
    Failed,
    /// The client disconnected, or the server stopped.
    Stopped,
}

impl RunStatus {
    /// The value on the wire and in `workflow_runs.status`.
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
    Succeeded,
    /// The graph handled failures of nodes.
    PartlySucceeded,
    /// The reason.
    Failed(String),
    /// The reason: the client disconnected, or the server stopped.
    Stopped(String),
}

impl Ending {
    pub const fn status(&self) -> RunStatus {
        match self {
            Self::Succeeded => RunStatus::Succeeded,
            Self::PartlySucceeded => RunStatus::PartlySucceeded,
            Self::Failed(_) => RunStatus::Failed,
            Self::Stopped(_) => RunStatus::Stopped,
        }
    }

    /// The value in `messages.status`. Dify has no value for stopped messages; it keeps their partial answer.
    pub fn message_status(&self) -> &'static str {
        match self {
            Self::Failed(_) => "error",
            _ => "normal",
        }
    }

    /// The reason, as stored in the `error` columns.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Succeeded | Self::PartlySucceeded => None,
            Self::Failed(reason) | Self::Stopped(reason) => Some(reason),
        }
    }
}

/// Everything that is stored of a completed run.
#[derive(Clone, Debug)]
pub struct RunRecord {
    pub end_user: EndUser,
    pub mode: AppMode,
    /// Values of the form's variables, by name.
    pub inputs: Map<String, Value>,
    pub ending: Ending,
    pub began_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// `None` for a workflow.
    pub message: Option<MessageRecord>,
    /// `None` for an app without a graph.
    pub workflow_run: Option<WorkflowRunRecord>,
}

/// A row of `messages`, and of `conversations` for the first message.
#[derive(Clone, Debug)]
pub struct MessageRecord {
    pub id: MessageId,
    pub conversation_id: ConversationId,
    /// The conversation to insert; `None` continues an existing one.
    pub begins: Option<NewConversation>,
    /// `None` for a graph, whose nodes name their models.
    pub model: Option<ModelName>,
    pub query: String,
    /// The model's prompt in Dify's form: `[{"role", "text", "files"}]`.
    pub prompt: Value,
    pub answer: String,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// The time the model took.
    pub latency: Duration,
    /// `metadata` of the last event.
    pub metadata: Value,
    /// The conversation's variables that the run has changed; all of them for a new conversation.
    pub variables: Map<String, Value>,
}

/// A model, as the app's definition names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    pub provider: String,
    pub name: String,
}

/// A conversation to insert.
#[derive(Clone, Debug)]
pub struct NewConversation {
    pub name: String,
    /// The app's opening statement.
    pub introduction: String,
    /// `None` for an app with a graph.
    pub model_config_id: Option<ModelConfigId>,
}

impl NewConversation {
    /// A name from the first query, by the rule of Dify's fallback.
    pub fn name_from_query(query: Option<&str>) -> String {
        match query.map(str::trim).filter(|query| !query.is_empty()) {
            None => DEFAULT_NAME.to_owned(),
            Some(query) if query.chars().count() <= MAX_NAME_LENGTH => query.to_owned(),
            Some(query) => query.chars().take(TRUNCATED_NAME_LENGTH).chain("...".chars()).collect(),
        }
    }
}

/// A row of `workflow_runs`.
#[derive(Clone, Debug)]
pub struct WorkflowRunRecord {
    pub id: WorkflowRunId,
    pub workflow_id: WorkflowId,
    /// The version's name: a date in Dify's format.
    pub version: String,
    /// The graph as JSON, shared by all runs of the version.
    pub graph: Arc<str>,
    /// Inputs and system variables, in Dify's form.
    pub inputs: Value,
    pub outputs: Value,
    pub elapsed: Duration,
    /// Tokens of all models.
    pub total_tokens: u64,
    /// Number of nodes that ran.
    pub total_steps: u32,
    /// Number of node failures that the graph handled.
    pub exceptions_count: u32,
}

/// The parent that Dify gives every message of the service API.
pub(crate) const NO_PARENT: Uuid = Uuid::nil();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_user_id_depends_on_app_and_caller() {
        let user = |app: u128, user: &str| EndUser {
            workspace_id: WorkspaceId(Uuid::from_u128(1)),
            app_id: AppId(Uuid::from_u128(app)),
            user: user.to_owned(),
            issuer: None,
        };
        let external = |issuer: &str| EndUser { issuer: Some(issuer.to_owned()), ..user(2, "a") };
        assert_ne!(external("https://one").id(), external("https://two").id());
        assert_ne!(external("").id(), user(2, "a").id());
        assert_eq!(user(2, "a").id(), user(2, "a").id());
        assert_ne!(user(2, "a").id(), user(3, "a").id());
        assert_ne!(user(2, "a").id(), user(2, "b").id());
        assert_eq!(user(2, "a").id().0.get_version_num(), 8);
    }

    #[test]
    fn conversation_name_is_the_first_query_cut_to_fifty_characters() {
        assert_eq!(NewConversation::name_from_query(None), "New conversation");
        assert_eq!(NewConversation::name_from_query(Some("  ")), "New conversation");
        assert_eq!(NewConversation::name_from_query(Some(" Hi ")), "Hi");
        assert_eq!(NewConversation::name_from_query(Some(&"ü".repeat(50))), "ü".repeat(50));
        assert_eq!(NewConversation::name_from_query(Some(&"ü".repeat(51))), format!("{}...", "ü".repeat(47)));
    }
}
