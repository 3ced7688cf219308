//! The outputs of a run, collected while it runs.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::runtime::builtin::json::JsonObject;

/// The outputs of a run, collected while it runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RunOutputs {
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
