//! The outcome of a graph's run.

use std::time::Duration;

use serde_json::json;

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
}

impl RunOutcome {
    /// Tokens of all prompts and answers.
    pub(crate) fn total_tokens(&self) -> u64 {
        self.usage.total_tokens()
    }
}

/// The outputs of a run, collected while it runs.
#[derive(Default)]
pub(super) struct RunOutputs {
    values: JsonObject,
    /// The texts of the `answer` nodes, in the order in which they ended; `None` without any.
    answer: Option<String>,
}

impl RunOutputs {
    /// Adds the outputs of an `end` node.
    pub(super) fn extend(&mut self, outputs: &JsonObject) {
        self.values.extend(outputs.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Adds the text of an `answer` node. Returns the length of all texts, in bytes.
    pub(super) fn add_answer(&mut self, text: &str) -> usize {
        let answer = self.answer.get_or_insert_default();
        answer.push_str(text);
        answer.len()
    }

    /// The outputs, with `answer` and `files` when an `answer` node ran.
    pub(super) fn into_values(mut self) -> JsonObject {
        if let Some(answer) = self.answer {
            self.values.insert("answer".to_owned(), answer.into());
            self.values.insert("files".to_owned(), json!([]));
        }
        self.values
    }
}
