//! Collects the events of a blocking run into its body (contract section 6).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    domain::{Code, Error, Result, app::AppMode},
    ports::runtime::RunEvent,
};

/// Limit of a blocking answer, in bytes.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// The members of a workflow's `data`, in the order of the body.
const WORKFLOW_MEMBERS: [&str; 10] = [
    "id",
    "workflow_id",
    "status",
    "outputs",
    "error",
    "elapsed_time",
    "total_tokens",
    "total_steps",
    "created_at",
    "finished_at",
];

/// The members of events that a body needs.
#[derive(Default, Deserialize)]
#[serde(default)]
struct EventFields {
    task_id: Option<String>,
    message_id: Option<String>,
    conversation_id: Option<String>,
    workflow_run_id: Option<String>,
    created_at: Option<i64>,
    answer: Option<String>,
    metadata: Option<Map<String, Value>>,
    data: Option<Map<String, Value>>,
    code: Option<String>,
    message: Option<String>,
}

impl EventFields {
    fn parse(json: &[u8]) -> Result<Self> {
        let malformed = || Error::new(Code::UpstreamError, "The runtime's answer could not be understood.");
        // serde also accepts an array of the members' values.
        if json.first() != Some(&b'{') {
            return Err(malformed());
        }
        serde_json::from_slice(json).map_err(|error| malformed().with_source(error))
    }
}

pub(super) struct Collector {
    mode: AppMode,
    answer: String,
    created_at: Option<i64>,
    /// The body of a graph, until `workflow_finished` confirms its success.
    unconfirmed: Option<Value>,
    /// Whether the graph has succeeded.
    has_succeeded: bool,
}

impl Collector {
    pub(super) fn new(mode: AppMode) -> Self {
        Self { mode, answer: String::new(), created_at: None, unconfirmed: None, has_succeeded: false }
    }

    /// Adds an event. Returns the body once it is complete.
    pub(super) fn add(&mut self, event: &RunEvent) -> Result<Option<Value>> {
        let relevant = match (self.mode, &*event.event) {
            (_, "error" | "workflow_paused") | (AppMode::Workflow, "workflow_finished") => true,
            (AppMode::Workflow, _) => false,
            (_, name) => {
                matches!(name, "message" | "agent_message" | "message_replace" | "message_end" | "workflow_finished")
            }
        };
        if !relevant {
            return Ok(None);
        }
        let fields = EventFields::parse(&event.json)?;
        match (self.mode, &*event.event) {
            (_, "error") => Err(event_error(&fields)),
            (_, "workflow_paused") => Ok(Some(self.paused(&fields))),
            (AppMode::Workflow, _) => Ok(Some(workflow(fields))),
            (_, "workflow_finished") => {
                if let Some(error) = graph_error(&fields) {
                    return Err(error);
                }
                self.has_succeeded = true;
                Ok(self.unconfirmed.take())
            }
            (_, "message_replace") => {
                self.answer = fields.answer.unwrap_or_default();
                Ok(None)
            }
            (AppMode::AdvancedChat, "message_end") if !self.has_succeeded => {
                self.unconfirmed = Some(self.message(fields));
                Ok(None)
            }
            (_, "message_end") => Ok(Some(self.message(fields))),
            _ => {
                self.created_at = self.created_at.or(fields.created_at);
                self.answer.push_str(fields.answer.as_deref().unwrap_or_default());
                if self.answer.len() > MAX_ANSWER {
                    return Err(Error::new(Code::UpstreamError, "The answer is too long for a blocking response.")
                        .with_hint("Use `response_mode: streaming`."));
                }
                Ok(None)
            }
        }
    }

    /// The body at the end of the stream: that of a graph without `workflow_finished`.
    pub(super) fn finish(self) -> Option<Value> {
        self.unconfirmed
    }

    /// The body of a run that waits for a form.
    fn paused(&self, fields: &EventFields) -> Value {
        json!({
            "event": "workflow_paused",
            "task_id": fields.task_id,
            "workflow_run_id": fields.workflow_run_id,
            "mode": self.mode.as_str(),
            "data": fields.data,
        })
    }

    fn message(&mut self, fields: EventFields) -> Value {
        let mut metadata = fields.metadata.unwrap_or_default();
        metadata.entry("retriever_resources").or_insert_with(|| json!([]));
        let mut body = json!({
            "event": "message",
            "task_id": fields.task_id,
            "id": fields.message_id,
            "message_id": fields.message_id,
            "conversation_id": fields.conversation_id,
            "mode": self.mode.as_str(),
            "answer": std::mem::take(&mut self.answer),
            "metadata": metadata,
            "created_at": fields.created_at.or(self.created_at),
        });
        if let (AppMode::Completion, Some(body)) = (self.mode, body.as_object_mut()) {
            body.shift_remove("conversation_id");
        }
        body
    }
}

fn workflow(fields: EventFields) -> Value {
    let mut finished = fields.data.unwrap_or_default();
    let run = fields.workflow_run_id.map(Value::String).or_else(|| finished.get("id").cloned()).unwrap_or_default();
    let mut data = Map::new();
    for name in WORKFLOW_MEMBERS {
        data.insert(name.to_owned(), finished.shift_remove(name).unwrap_or_default());
    }
    if data["outputs"].is_null() {
        data["outputs"] = json!({});
    }
    json!({"workflow_run_id": run, "task_id": fields.task_id, "mode": AppMode::Workflow.as_str(), "data": data})
}

/// The error of a chat graph that failed. Unlike a workflow's body, a chat's has no member for it.
fn graph_error(fields: &EventFields) -> Option<Error> {
    let data = fields.data.as_ref()?;
    let status = data.get("status").and_then(Value::as_str)?;
    if !matches!(status, "failed" | "stopped") {
        return None;
    }
    Some(run_failed(data.get("error").and_then(Value::as_str)))
}

/// The error of an `error` event. Codes that this service does not define become `upstream_error`.
fn event_error(fields: &EventFields) -> Error {
    let code = fields.code.as_deref().and_then(|code| Code::ALL.iter().copied().find(|known| known.as_str() == code));
    match (code, &fields.message) {
        (Some(code), Some(message)) => Error::new(code, message.clone()),
        (_, message) => run_failed(message.as_deref()),
    }
}

/// The error of a failed run. The reason may contain data of nodes and models, so it is only logged and streamed.
fn run_failed(reason: Option<&str>) -> Error {
    let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or("it was stopped");
    Error::new(Code::UpstreamError, "The app's run failed.")
        .with_hint("Use `response_mode: streaming` to see which step failed and why.")
        .with_source(reason.to_owned())
}
