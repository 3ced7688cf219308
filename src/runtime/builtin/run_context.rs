//! What every run of the process shares.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{model::Models, published_graphs::PublishedGraphs, run_limits::RunLimits, template::TemplateRenderer};
use crate::{
    memory::MemoryLedger,
    ports::{clock::Clock, entropy::Entropy, run_credentials::RunCredentials, tool_invoker::ToolInvoker},
    runtime::outbound::OutboundClient,
    store::sql::SqlStore,
};

/// What the runtime needs from the process.
pub(crate) struct RuntimeDependencies {
    /// Stores conversations and runs.
    pub sql: Arc<SqlStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub models: Arc<dyn Models>,
    /// Sends the requests of HTTP nodes.
    pub outbound: Arc<OutboundClient>,
    /// Invokes the tools of plugins; `None` without a plugin daemon.
    pub tools: Option<Arc<dyn ToolInvoker>>,
    /// The connections that nodes use.
    pub credentials: Arc<dyn RunCredentials>,
    pub templates: Arc<TemplateRenderer>,
    /// Has the memory of runs and of their events.
    pub memory: MemoryLedger,
    /// Tracks every run, so that the process can wait for them.
    pub tasks: TaskTracker,
    /// Cancelled when the process stops; ends every run.
    pub shutdown: CancellationToken,
}

/// The dependencies, the limits and the shared state of all runs.
pub(crate) struct RunContext {
    pub dependencies: RuntimeDependencies,
    pub limits: RunLimits,
    pub graphs: PublishedGraphs,
}

impl RunContext {
    pub(super) fn new(dependencies: RuntimeDependencies, limits: RunLimits) -> Self {
        Self { dependencies, limits, graphs: PublishedGraphs::default() }
    }
}
