//! The input of a graph's run.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::pause::Resumption;
use crate::{
    domain::id::{ConversationId, MessageId, TaskId, WorkflowId, WorkflowRunId},
    ports::{clock::Clock, entropy::Entropy},
    runtime::{
        builtin::{
            events::workflow::CreatedBy,
            graph::topology::Graph,
            json::JsonObject,
            model::{Models, PromptMessage},
            nodes::{tool::RunTools, workspace_credentials::WorkspaceCredentials},
            run_images::RunImages,
            run_limits::RunLimits,
            run_memory::RunMemory,
            secret_masks::SecretMasks,
            template::AppRenderer,
            variables::{pool::SystemVariables, value_type::DeclaredTypes},
        },
        outbound::RunOutboundClient,
    },
};

/// The conversation of a run, and the message that the run writes there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConversationIds {
    pub conversation: ConversationId,
    pub message: MessageId,
}

/// A graph with everything that its run needs.
pub(crate) struct Execution {
    pub graph: Arc<Graph>,
    /// Values of the form's variables.
    pub inputs: JsonObject,
    /// `sys.*`.
    pub system: SystemVariables,
    /// `env.*`.
    pub environment: JsonObject,
    /// The secrets among the environment variables.
    pub masks: SecretMasks,
    /// `conversation.*`; every declared variable has a value.
    pub conversation_variables: JsonObject,
    pub conversation_types: DeclaredTypes,
    /// The id by which the run is stopped.
    pub task_id: TaskId,
    pub workflow_run_id: WorkflowRunId,
    pub workflow_id: WorkflowId,
    /// Present for advanced-chat apps, whose events differ from those of workflows.
    pub conversation: Option<ConversationIds>,
    pub created_by: CreatedBy,
    /// The last exchanges of the conversation, oldest first.
    pub history: Vec<PromptMessage>,
    /// The images that models may see.
    pub images: Arc<RunImages>,
    pub models: Arc<dyn Models>,
    pub templates: AppRenderer,
    /// Sends the requests of `http-request` nodes.
    pub outbound: RunOutboundClient,
    /// Invokes the tools of `tool` nodes; `None` without a plugin daemon.
    pub tools: Option<RunTools>,
    pub credentials: WorkspaceCredentials,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub limits: RunLimits,
    pub memory: RunMemory,
    /// Present for a run that continues after a pause.
    pub resumption: Option<Box<Resumption>>,
    /// Cancelled to stop the run. Its reader receives the end.
    pub stop: CancellationToken,
}

impl Execution {
    /// The current time in Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }
}
