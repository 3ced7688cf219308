//! The events of runs as typed messages, for consumers over gRPC.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::proto::{self, run_event::Event};

/// Limit of the JSON of an event that is also sent typed, in bytes: a larger one would double a response that clients
/// read with a limit of 4 MB.
const MAX_BYTES: usize = 1 << 20;

/// The members around those of an event.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    task_id: Option<String>,
    #[serde(default)]
    workflow_run_id: Option<String>,
    #[serde(default)]
    conversation_id: Option<String>,
    #[serde(default)]
    message_id: Option<String>,
    #[serde(default)]
    created_at: Option<i64>,
    /// The members of an event of a graph.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// The event of this name and JSON. Returns `None` for one that is not declared, that is too large, or whose members
/// have other types.
pub(super) fn typed(name: &str, json: &[u8]) -> Option<proto::RunEvent> {
    if json.len() > MAX_BYTES {
        return None;
    }
    let envelope: Envelope<'_> = serde_json::from_slice(json).ok()?;
    let members = match envelope.data {
        Some(data) => data.get(),
        None => std::str::from_utf8(json).ok()?,
    };
    Some(proto::RunEvent {
        event: Some(read_event(name, members)?),
        task_id: envelope.task_id.unwrap_or_default(),
        workflow_run_id: envelope.workflow_run_id,
        conversation_id: envelope.conversation_id,
        message_id: envelope.message_id,
        created_at: envelope.created_at,
    })
}

fn read_event(name: &str, members: &str) -> Option<Event> {
    Some(match name {
        "message" => Event::Message(read(members)?),
        "agent_message" => Event::AgentMessage(read(members)?),
        "agent_thought" => Event::AgentThought(read(members)?),
        "message_file" => Event::MessageFile(read(members)?),
        "message_replace" => Event::MessageReplace(read(members)?),
        "message_end" => Event::MessageEnd(read(members)?),
        "workflow_started" => Event::WorkflowStarted(read(members)?),
        "workflow_finished" => Event::WorkflowFinished(read(members)?),
        "workflow_paused" => Event::WorkflowPaused(read(members)?),
        "human_input_required" => Event::HumanInputRequired(read(members)?),
        "human_input_form_filled" => Event::HumanInputFormFilled(read(members)?),
        "human_input_form_timeout" => Event::HumanInputFormTimeout(read(members)?),
        "node_started" => Event::NodeStarted(read(members)?),
        "node_finished" => Event::NodeFinished(read(members)?),
        "node_retry" => Event::NodeRetry(read(members)?),
        "text_chunk" => Event::TextChunk(read(members)?),
        "text_replace" => Event::TextReplace(read(members)?),
        "iteration_started" => Event::IterationStarted(read(members)?),
        "iteration_next" => Event::IterationNext(read(members)?),
        "iteration_completed" => Event::IterationCompleted(read(members)?),
        "loop_started" => Event::LoopStarted(read(members)?),
        "loop_next" => Event::LoopNext(read(members)?),
        "loop_completed" => Event::LoopCompleted(read(members)?),
        "error" => Event::Error(read(members)?),
        _ => return None,
    })
}

fn read<T: DeserializeOwned>(members: &str) -> Option<T> {
    serde_json::from_str(members).ok()
}

/// Reads null as the default.
pub(crate) fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    source: D,
) -> Result<T, D::Error> {
    Option::deserialize(source).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
