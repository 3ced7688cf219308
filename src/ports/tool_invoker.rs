//! The tools of plugins, which nodes of runs invoke.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{
    domain::{
        connection::{provider_key::ProviderKey, values::CredentialValues},
        id::WorkspaceId,
    },
    memory::{MemoryError, Owner},
};

/// One invocation of a tool.
#[derive(Debug)]
pub(crate) struct ToolCall {
    pub workspace: WorkspaceId,
    /// The workspace and the app whose shares of places and memory it takes.
    pub owners: [Owner; 2],
    /// The id of the person who runs the app.
    pub user: String,
    pub provider: ProviderKey,
    pub tool: String,
    /// How the credentials were obtained, as Dify writes it.
    pub credential_type: String,
    /// Empty for a provider that needs none.
    pub credentials: CredentialValues,
    pub parameters: Map<String, Value>,
}

/// Why a tool has not completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// The plugin reports a failure. Its message may contain the credentials.
    #[error("{message}")]
    Failed {
        message: String,
        /// Whether the third-party service rejects the credentials.
        rejects_credentials: bool,
    },
    #[error("the plugin {0} is not installed in this workspace; install it in the plugin daemon")]
    NotInstalled(String),
    /// The daemon has a failure, or does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The answer is not as specified.
    #[error("the answer of the tool cannot be used: {0}")]
    InvalidAnswer(&'static str),
    /// The tool returns something that is not supported here.
    #[error("{0}")]
    NotSupported(&'static str),
    #[error("the answer of the tool is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the tool returns more than {limit} messages")]
    TooManyMessages { limit: usize },
    #[error("the tool ran for more than {seconds} seconds")]
    TimedOut { seconds: u64 },
    /// The app and its workspace have as many calls under way as they may.
    #[error("this workspace has too many tools under way; try again shortly")]
    ShareUsed,
    #[error("the tools under way use the share of this workspace; try again shortly")]
    Memory(#[from] MemoryError),
}

/// Receives the messages of a tool, in order.
pub(crate) trait ToolMessages: Send {
    /// Receives `{"type", "message", "meta"}`.
    fn receive(&mut self, message: Map<String, Value>) -> Result<(), ToolError>;

    /// The approximate memory of what is kept of the messages, in bytes.
    fn weight(&self) -> usize;
}

/// Invokes tools.
#[async_trait]
pub(crate) trait ToolInvoker: Send + Sync + 'static {
    /// Invokes a tool until it completes. Dropping the future ends the call.
    async fn invoke(&self, call: ToolCall, messages: &mut dyn ToolMessages) -> Result<(), ToolError>;
}
