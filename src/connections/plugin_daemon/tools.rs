//! Invokes the tools of plugins (contract K5): `dispatch/tool/invoke`, whose answer has one message a line.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    client::{DaemonError, PluginDaemonClient},
    line_buffer::Line,
    lines::{LineError, LineReader},
    plugin_error::PluginError,
};
use crate::{
    memory::{MemoryKind, MemoryLedger, weight::json_weight},
    ports::tool_invoker::{ToolCall, ToolError, ToolInvoker, ToolMessages},
    runtime::outbound::OutboundPermits,
};

/// Largest answer of a tool in bytes.
const MAX_ANSWER: usize = 10 << 20;
/// Most messages of a tool.
const MAX_MESSAGES: usize = 10_000;
/// Longest time of a call. Some tools send nothing until they complete.
const TOTAL_TIMEOUT: Duration = Duration::from_mins(5);
/// Calls at the same time in this process.
const MAX_CONCURRENT: usize = 64;
/// The types of errors by which plugins report that a service rejects the credentials.
const CREDENTIAL_ERRORS: [&str; 3] =
    ["ToolProviderCredentialValidationError", "CredentialsValidateFailedError", "InvokeAuthorizationError"];
/// How the HTTP clients of plugins begin the message of an error with status 401.
const UNAUTHORIZED: [&str; 2] = ["401 Client Error", "Client error '401 "];

/// What one call may use.
#[derive(Clone, Copy, Debug)]
struct ToolLimits {
    bytes: usize,
    messages: usize,
    timeout: Duration,
}

const LIMITS: ToolLimits = ToolLimits { bytes: MAX_ANSWER, messages: MAX_MESSAGES, timeout: TOTAL_TIMEOUT };

/// Invokes tools through the daemon.
pub(crate) struct PluginDaemonTools {
    client: PluginDaemonClient,
    permits: Arc<OutboundPermits>,
    /// Has the memory of answers, which are parts of runs.
    memory: MemoryLedger,
    limits: ToolLimits,
}

impl PluginDaemonTools {
    pub(crate) fn new(client: PluginDaemonClient, memory: &MemoryLedger) -> Self {
        let permits = Arc::new(OutboundPermits::new(MAX_CONCURRENT));
        Self { client, permits, memory: memory.clone(), limits: LIMITS }
    }

    async fn read(&self, call: &ToolCall, messages: &mut dyn ToolMessages) -> Result<(), ToolError> {
        let plugin = || call.provider.plugin_id();
        let body = json!({"user_id": call.user, "data": {
            "provider": call.provider.name(),
            "tool": call.tool,
            "credentials": call.credentials.expose(),
            "credential_type": call.credential_type,
            "tool_parameters": call.parameters,
        }});
        let response = self.client.dispatch(call.workspace, &call.provider, "tool/invoke", &body).await;
        drop(body);
        let response = response.map_err(|error| request_error(&error, plugin))?;
        let memory = self.memory.permit(MemoryKind::Runs, Some(call.owners[0]));
        let mut lines = LineReader::new(response, self.limits.bytes, Some(memory));
        let mut count = 0;
        while let Some(line) = lines.next().await.map_err(|error| self.line_error(&error))? {
            count += 1;
            if count > self.limits.messages {
                return Err(ToolError::TooManyMessages { limit: self.limits.messages });
            }
            lines.reserve(messages.weight() + line.len() + json_weight(&line))?;
            receive(&line, messages, plugin)?;
            lines.reserve(messages.weight())?;
        }
        Ok(())
    }

    fn line_error(&self, error: &LineError) -> ToolError {
        let message = error.to_string();
        match error {
            LineError::Invalid(_) => ToolError::InvalidAnswer("a line of the plugin daemon is not as specified"),
            LineError::TooLong => ToolError::TooLarge { limit: self.limits.bytes },
            LineError::Interrupted(_) => ToolError::Unavailable(message),
            LineError::Memory(error) => (*error).into(),
        }
    }
}

#[async_trait]
impl ToolInvoker for PluginDaemonTools {
    async fn invoke(&self, call: ToolCall, messages: &mut dyn ToolMessages) -> Result<(), ToolError> {
        let _permit = self.permits.acquire(call.owners).await.map_err(|_| ToolError::ShareUsed)?;
        let seconds = self.limits.timeout.as_secs();
        let read = timeout(self.limits.timeout, self.read(&call, messages));
        read.await.unwrap_or(Err(ToolError::TimedOut { seconds }))
    }
}

fn receive(json: &Bytes, messages: &mut dyn ToolMessages, plugin: impl Fn() -> String) -> Result<(), ToolError> {
    let line = Line::parse(json);
    let line = line.map_err(|_| ToolError::InvalidAnswer("a line of the plugin daemon is not as specified"))?;
    if line.code != 0 {
        return Err(tool_error(&PluginError::of(&line), plugin));
    }
    match line.data {
        Value::Object(message) => messages.receive(message),
        Value::Null => Ok(()),
        _ => Err(ToolError::InvalidAnswer("a message is not an object")),
    }
}

fn request_error(error: &DaemonError, plugin: impl Fn() -> String) -> ToolError {
    match error {
        DaemonError::Rejected(body) => match PluginError::of_body(body) {
            Some(error) => tool_error(&error, plugin),
            None => ToolError::Unavailable(error.to_string()),
        },
        // The cause names the address of the daemon, which is the operator's business.
        DaemonError::Unreachable(cause) => {
            tracing::warn!(error = cause as &dyn std::error::Error, "the plugin daemon does not answer");
            ToolError::Unavailable(error.to_string())
        }
        DaemonError::KeyRejected => {
            tracing::warn!("the plugin daemon rejects the key in `PLUGIN_DAEMON_KEY`");
            ToolError::Unavailable("the plugin daemon rejects this service".to_owned())
        }
        DaemonError::Unavailable(_) => ToolError::Unavailable(error.to_string()),
        DaemonError::TooLong => ToolError::InvalidAnswer("the error of the plugin daemon is too long"),
    }
}

/// The failure that a plugin reports.
fn tool_error(error: &PluginError, plugin: impl Fn() -> String) -> ToolError {
    if error.is_plugin_missing() {
        return ToolError::NotInstalled(plugin());
    }
    let message = error.message().unwrap_or("the tool reports an error without a message").to_owned();
    let rejects_credentials = error.has_type(|found| CREDENTIAL_ERRORS.contains(&found))
        || UNAUTHORIZED.iter().any(|beginning| message.starts_with(beginning));
    ToolError::Failed { message, rejects_credentials }
}

#[cfg(test)]
mod tests;
