//! The outcome of a graph's run.

use std::time::Duration;

use super::pause::Pause;
use crate::{
    domain::conversation::RunStatus,
    runtime::builtin::{json::JsonObject, model::Usage},
};

/// What a run leaves to be stored.
#[derive(Clone, Debug)]
pub(crate) struct RunOutcome {
    pub status: RunStatus,
    /// The outputs of `end` nodes; of an `answer` node, `answer` and `files`.
    pub outputs: JsonObject,
    /// The text of all `message` or `text_chunk` events.
    pub answer: String,
    /// Why the run failed or was stopped.
    pub error: Option<String>,
    pub elapsed: Duration,
    /// From the start to the first text; `None` without text.
    pub time_to_first_text: Option<Duration>,
    /// Tokens of all model calls.
    pub usage: Usage,
    /// Number of executions of nodes.
    pub total_steps: usize,
    /// Number of nodes whose failure the graph handled.
    pub exceptions_count: usize,
    /// The conversation variables after the run.
    pub conversation_variables: JsonObject,
    /// Present when the run waits for a form. It has not ended then.
    pub pause: Option<Box<Pause>>,
}

impl RunOutcome {
    /// Tokens of all prompts and answers.
    pub(crate) fn total_tokens(&self) -> u64 {
        self.usage.total_tokens()
    }
}
