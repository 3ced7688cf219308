//! What a run of the node reads and uses.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    memory::Owner,
    ports::tool_invoker::ToolInvoker,
    runtime::builtin::{nodes::workspace_credentials::WorkspaceCredentials, variables::pool::VariableView},
};

/// Calls of one run at the same time.
const MAX_CONCURRENT_OF_RUN: usize = 8;

/// Invokes the tools of one run. Clones share the limit.
#[derive(Clone)]
pub(crate) struct RunTools {
    pub(super) invoker: Arc<dyn ToolInvoker>,
    pub(super) permits: Arc<Semaphore>,
    /// The workspace and the app.
    pub(super) owners: [Owner; 2],
    /// The id of the person who runs the app.
    pub(super) user: String,
}

impl RunTools {
    pub(crate) fn new(invoker: &Arc<dyn ToolInvoker>, owners: [Owner; 2], user: String) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_OF_RUN));
        Self { invoker: Arc::clone(invoker), permits, owners, user }
    }
}

pub(crate) struct ToolContext<'a> {
    pub view: VariableView<'a>,
    /// `None` without a plugin daemon.
    pub tools: Option<&'a RunTools>,
    pub credentials: &'a WorkspaceCredentials,
    /// Longest text, in bytes.
    pub limit: usize,
}
