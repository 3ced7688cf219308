//! `tool`: invokes a tool of a plugin, with current credentials of a connection (contract K5).

mod context;
mod data;
mod input;
mod messages;
mod parameters;
mod types;

use uuid::Uuid;

use self::messages::ToolOutputs;
pub(crate) use self::{
    context::{RunTools, ToolContext},
    data::{ToolNodeData, is_served},
};
use super::{
    outcome::{NodeError, NodeOutcome, NodeResult, NodeRun, masked},
    workspace_credentials::WorkspaceCredentials,
};
use crate::{
    domain::{id::ConnectionId, secret::Secret},
    ports::{
        run_credentials::{ToolConnection, ToolCredentials},
        tool_invoker::{ToolCall, ToolError},
    },
    runtime::builtin::{json::JsonObject, secret_masks::SecretMasks},
};

/// Longest message of a failure, in bytes.
const MAX_MESSAGE: usize = 4_000;
/// The `credential_type` of a call without credentials, as Dify sends it.
const NO_CREDENTIALS: &str = "api-key";

/// Fills in the parameters and starts to invoke the tool.
pub(crate) fn start(data: &ToolNodeData, context: &ToolContext<'_>) -> NodeRun {
    let parameters = match parameters::values(data, context) {
        Ok(parameters) => parameters,
        Err(error) => return NodeRun::Ready(Err(error)),
    };
    let mut arguments = parameters.clone();
    if let Err(message) = data.types.convert(&mut arguments, context.limit) {
        return NodeRun::Ready(Err(NodeError::new("ToolParameterError", message).with_inputs(parameters)));
    }
    let invocation = match Invocation::new(data, context) {
        Ok(invocation) => invocation,
        Err(error) => return NodeRun::Ready(Err(error.with_inputs(parameters))),
    };
    NodeRun::Pending(Box::pin(invocation.run(parameters, arguments)))
}

/// One run of the node.
struct Invocation {
    tools: RunTools,
    credentials: WorkspaceCredentials,
    wanted: ToolConnection,
    tool: String,
    limit: usize,
}

impl Invocation {
    fn new(data: &ToolNodeData, context: &ToolContext<'_>) -> Result<Self, Box<NodeError>> {
        let credentials = context.credentials;
        let id = data.credential_id.as_str().trim();
        let connection = (!id.is_empty()).then(|| Uuid::parse_str(id).map(ConnectionId)).transpose();
        let connection = connection.map_err(|_| no_runtime("credential_id is not the id of a connection"))?;
        Ok(Self {
            tools: context.tools.cloned().ok_or_else(|| no_runtime("this service has no plugin daemon"))?,
            credentials: credentials.clone(),
            wanted: ToolConnection {
                workspace: credentials.workspace,
                account: credentials.account,
                provider: data.provider_id.0.clone(),
                connection,
            },
            tool: data.tool_name.0.clone(),
            limit: context.limit,
        })
    }

    /// `arguments` are the parameters in their declared types. The events of the node have the parameters as they are.
    async fn run(self, parameters: JsonObject, arguments: JsonObject) -> NodeResult {
        let used = match self.credentials.source.for_tool(&self.wanted).await {
            Ok(used) => used,
            Err(error) => {
                let reason = [Some(error.message()), error.hint()].into_iter().flatten().collect::<Vec<_>>().join(" ");
                return Err(no_runtime(&reason).with_inputs(parameters));
            }
        };
        let masks = SecretMasks::new(used.iter().flat_map(|used| &used.secrets).map(Secret::expose));
        let connection = used.as_ref().map(|used| used.connection);
        let result = self.invoke(arguments, used).await;
        if let (Err(ToolError::Failed { rejects_credentials: true, .. }), Some(connection)) = (&result, connection) {
            self.credentials.source.report_rejected(&self.wanted, connection).await;
        }
        let result = match result {
            Ok(outputs) => Ok(NodeOutcome { inputs: parameters, outputs, ..NodeOutcome::default() }),
            Err(error) => Err(NodeError::new(kind_of(&error), error.to_string()).with_inputs(parameters)),
        };
        // The message is cut off after it was masked, so that no part of a secret remains.
        masked(result, &masks).map_err(|mut error| {
            error.message.truncate(error.message.floor_char_boundary(MAX_MESSAGE));
            error
        })
    }

    async fn invoke(&self, arguments: JsonObject, used: Option<ToolCredentials>) -> Result<JsonObject, ToolError> {
        // An error would mean that the semaphore is closed, which never happens.
        let _permit = self.tools.permits.acquire().await;
        let (credential_type, credentials) = match used {
            Some(used) => (used.credential_type, used.values),
            None => (NO_CREDENTIALS.to_owned(), <_>::default()),
        };
        let call = ToolCall {
            workspace: self.wanted.workspace,
            owners: self.tools.owners,
            user: self.tools.user.clone(),
            provider: self.wanted.provider.clone(),
            tool: self.tool.clone(),
            credential_type,
            credentials,
            parameters: arguments,
        };
        let mut outputs = ToolOutputs::new(self.wanted.workspace, self.limit);
        self.tools.invoker.invoke(call, &mut outputs).await?;
        Ok(outputs.into_outputs())
    }
}

/// The failure of a call that was not made.
fn no_runtime(reason: &str) -> Box<NodeError> {
    NodeError::new("ToolRuntimeResolutionError", format!("Failed to get tool runtime: {reason}"))
}

/// Dify's name of the exception.
fn kind_of(error: &ToolError) -> &'static str {
    match error {
        ToolError::NotSupported(_) => "ToolFileError",
        ToolError::InvalidAnswer(_) => "ToolNodeError",
        _ => "ToolRuntimeInvocationError",
    }
}

#[cfg(test)]
mod tests;
