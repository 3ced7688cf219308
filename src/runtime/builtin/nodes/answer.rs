//! `answer`: says something to the person. The engine streams its text; this is the text as a whole.

use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{NodeError, NodeOutcome};
use crate::runtime::builtin::{
    json::JsonObject,
    variables::{
        pool::VariableView,
        text::{TextPart, TextTemplate},
        value,
    },
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct AnswerNodeData {
    /// What is said.
    pub answer: TextTemplate,
}

/// The text with everything in place.
pub(crate) fn run(data: &AnswerNodeData, view: VariableView<'_>, limit: usize) -> Result<NodeOutcome, Box<NodeError>> {
    let mut answer = String::new();
    for piece in data.answer.parts() {
        match piece {
            TextPart::Literal(text) => answer.push_str(text),
            TextPart::Reference(selector) => {
                if let Some(found) = view.get(selector) {
                    answer.push_str(&value::markdown(found, limit.saturating_sub(answer.len()))?);
                }
            }
        }
    }
    if answer.len() > limit {
        return Err(value::TextTooLongError { limit }.into());
    }
    let mut outputs = JsonObject::new();
    outputs.insert("answer".to_owned(), Value::String(answer));
    outputs.insert("files".to_owned(), json!([]));
    Ok(NodeOutcome { outputs, ..NodeOutcome::default() })
}
