//! The responses of a run in the OpenAPI document. They have the form of Dify, which is not declared in the protos.

use serde_json::{Value, json};

use super::schema::{self, Schemas};

const EVENTS: &str = "A Server-Sent Event of the stream. `data` is `{\"event\": …}`: workflow_started, node_started, \
    text_chunk, node_finished, workflow_finished, message, agent_message, message_end, message_replace, error. A ping, which \
    has no `data`, comes at least every ten seconds.";

/// One event of a stream by its fields. OpenAPI 3.1 cannot describe a stream as a whole.
pub(crate) fn event(schemas: &mut Schemas) -> Value {
    let schema = schemas.add("ServerSentEvent", || {
        json!({
            "type": "object",
            "description": EVENTS,
            "properties": {
                "event": {"type": "string"},
                "data": {"type": "string", "contentMediaType": "application/json"},
            },
        })
    });
    let data =
        json!({"event": "message", "conversation_id": "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55", "answer": "Hello"});
    json!({"schema": schema, "example": {"data": data.to_string()}})
}

/// A reference to the schema of the bodies of blocking runs, each of which has a schema of its own.
pub(crate) fn reference(schemas: &mut Schemas) -> Value {
    let message = schemas.add("MessageRun", message);
    let result = schemas.add("WorkflowResult", workflow_result);
    let workflow = schemas.add("WorkflowRun", || workflow(&result));
    schemas.add("Run", || json!({"description": "The result of a run.", "oneOf": [message, workflow]}))
}

fn message() -> Value {
    let text = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "description": "The answer of a chat or a completion.",
        "required": ["event", "task_id", "id", "message_id", "mode", "answer", "metadata", "created_at"],
        "properties": {
            "event": {"const": "message"},
            "task_id": text,
            "id": text,
            "message_id": text,
            "conversation_id": text,
            "mode": {"type": "string", "enum": ["chat", "agent-chat", "advanced-chat", "completion"]},
            "answer": {"type": "string"},
            "metadata": schema::any_object(),
            "created_at": {"type": ["integer", "null"]},
        },
    })
}

fn workflow(data: &Value) -> Value {
    let text = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "description": "How a workflow finished; `status` says whether it succeeded.",
        "required": ["workflow_run_id", "task_id", "mode", "data"],
        "properties": {
            "workflow_run_id": text,
            "task_id": text,
            "mode": {"const": "workflow"},
            "data": data,
        },
    })
}

fn workflow_result() -> Value {
    let text = json!({"type": ["string", "null"]});
    let number = json!({"type": ["number", "null"]});
    json!({
        "type": "object",
        "description": "The result of a workflow.",
        "required": [
            "id", "workflow_id", "status", "outputs", "error", "elapsed_time", "total_tokens", "total_steps", "created_at",
            "finished_at",
        ],
        "properties": {
            "id": text,
            "workflow_id": text,
            "status": text,
            "outputs": schema::any_object(),
            "error": text,
            "elapsed_time": number,
            "total_tokens": number,
            "total_steps": number,
            "created_at": number,
            "finished_at": number,
        },
    })
}

/// One example of each body.
pub(crate) fn examples() -> Value {
    let id = "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55";
    json!({
        "chat": {"value": {
            "event": "message", "task_id": id, "id": id, "message_id": id, "conversation_id": id, "mode": "chat",
            "answer": "Hello",
            "metadata": {
                "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
                "retriever_resources": [],
            },
            "created_at": 1_795_253_400,
        }},
        "workflow": {"value": {
            "workflow_run_id": id, "task_id": id, "mode": "workflow",
            "data": {
                "id": id, "workflow_id": id, "status": "succeeded", "outputs": {"text": "Hello"}, "error": null,
                "elapsed_time": 0.01, "total_tokens": 0, "total_steps": 3, "created_at": 1_795_253_400, "finished_at": 1_795_253_400,
            },
        }},
    })
}
