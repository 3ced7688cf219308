//! The final body of a blocking run, gathered from its events (contract section 6).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    domain::{Code, Error, Result, app::AppMode},
    ports::runtime::RunEvent,
};

/// The longest answer that is gathered, in bytes; whoever expects more reads the stream.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
/// What the body of a workflow tells of its end, in this order.
const FINISHED: [&str; 10] = [
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

/// What events tell that matters here; the rest of them is not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
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

impl Told {
    fn read(json: &[u8]) -> Result<Self> {
        let strange = || Error::new(Code::UpstreamError, "The runtime's answer could not be understood.");
        // serde also fills a struct from an array.
        if json.first() != Some(&b'{') {
            return Err(strange());
        }
        serde_json::from_slice(json).map_err(|error| strange().with_source(error))
    }
}

/// Gathers events into a body.
pub(super) struct Collector {
    mode: AppMode,
    answer: String,
    created_at: Option<i64>,
    /// The body of a graph whose run is not known to have finished well.
    held: Option<Value>,
    /// Whether the graph's run has finished well.
    finished: bool,
}

impl Collector {
    pub(super) fn new(mode: AppMode) -> Self {
        Self { mode, answer: String::new(), created_at: None, held: None, finished: false }
    }

    /// Takes an event: the body, if it was the last that matters.
    pub(super) fn take(&mut self, event: &RunEvent) -> Result<Option<Value>> {
        let relevant = match (self.mode, &*event.event) {
            (_, "error") | (AppMode::Workflow, "workflow_finished") => true,
            (AppMode::Workflow, _) => false,
            (_, name) => {
                matches!(name, "message" | "agent_message" | "message_replace" | "message_end" | "workflow_finished")
            }
        };
        if !relevant {
            return Ok(None);
        }
        let told = Told::read(&event.json)?;
        match (self.mode, &*event.event) {
            (_, "error") => Err(failed(&told)),
            (AppMode::Workflow, _) => Ok(Some(workflow(told))),
            (_, "workflow_finished") => {
                if let Some(error) = broken(&told) {
                    return Err(error);
                }
                self.finished = true;
                Ok(self.held.take())
            }
            (_, "message_replace") => {
                self.answer = told.answer.unwrap_or_default();
                Ok(None)
            }
            (AppMode::AdvancedChat, "message_end") if !self.finished => {
                self.held = Some(self.message(told));
                Ok(None)
            }
            (_, "message_end") => Ok(Some(self.message(told))),
            _ => {
                self.created_at = self.created_at.or(told.created_at);
                self.answer.push_str(told.answer.as_deref().unwrap_or_default());
                if self.answer.len() > MAX_ANSWER {
                    return Err(Error::new(Code::UpstreamError, "The answer is too long for a blocking response.")
                        .with_hint("Use `response_mode: streaming`."));
                }
                Ok(None)
            }
        }
    }

    /// The body when the stream is over: what an answer had that nothing more was said of.
    pub(super) fn rest(self) -> Option<Value> {
        self.held
    }

    fn message(&mut self, told: Told) -> Value {
        let mut metadata = told.metadata.unwrap_or_default();
        metadata.entry("retriever_resources").or_insert_with(|| json!([]));
        let mut body = json!({
            "event": "message",
            "task_id": told.task_id,
            "id": told.message_id,
            "message_id": told.message_id,
            "conversation_id": told.conversation_id,
            "mode": self.mode.as_str(),
            "answer": std::mem::take(&mut self.answer),
            "metadata": metadata,
            "created_at": told.created_at.or(self.created_at),
        });
        if let (AppMode::Completion, Some(body)) = (self.mode, body.as_object_mut()) {
            body.shift_remove("conversation_id");
        }
        body
    }
}

fn workflow(told: Told) -> Value {
    let mut finished = told.data.unwrap_or_default();
    let run = told.workflow_run_id.map(Value::String).or_else(|| finished.get("id").cloned()).unwrap_or_default();
    let mut data = Map::new();
    for name in FINISHED {
        data.insert(name.to_owned(), finished.shift_remove(name).unwrap_or_default());
    }
    if data["outputs"].is_null() {
        data["outputs"] = json!({});
    }
    json!({"workflow_run_id": run, "task_id": told.task_id, "mode": AppMode::Workflow.as_str(), "data": data})
}

/// A graph that failed has no answer to give: the chat body has no place for an error, as a workflow's has.
fn broken(told: &Told) -> Option<Error> {
    let data = told.data.as_ref()?;
    let status = data.get("status").and_then(Value::as_str)?;
    if !matches!(status, "failed" | "stopped") {
        return None;
    }
    Some(unexplained(data.get("error").and_then(Value::as_str)))
}

/// An `error` event: one of our own codes stays what it is; any other is the runtime's.
fn failed(told: &Told) -> Error {
    let code = told.code.as_deref().and_then(|code| Code::ALL.iter().copied().find(|known| known.as_str() == code));
    match (code, &told.message) {
        (Some(code), Some(message)) => Error::new(code, message.clone()),
        (_, message) => unexplained(message.as_deref()),
    }
}

/// A run that failed, for reasons that nodes and models give: those are told to who reads the run step by step, and a 502 says
/// no more than that it is one. The reason goes to the log.
fn unexplained(why: Option<&str>) -> Error {
    let why = why.filter(|why| !why.is_empty()).unwrap_or("it was stopped");
    Error::new(Code::UpstreamError, "The app's run failed.")
        .with_hint("Use `response_mode: streaming` to see which step failed and why.")
        .with_source(why.to_owned())
}
