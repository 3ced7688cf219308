//! `answer`: sends a text to the user. The engine streams it; this node outputs the text as a whole.

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

#[derive(Debug, Deserialize)]
pub(crate) struct AnswerNodeData {
    pub answer: TextTemplate,
}

/// Renders the text, of at most `limit` bytes.
pub(crate) fn run(data: &AnswerNodeData, view: VariableView<'_>, limit: usize) -> Result<NodeOutcome, Box<NodeError>> {
    let mut answer = String::new();
    for part in data.answer.parts() {
        match part {
            TextPart::Literal(text) => answer.push_str(text),
            TextPart::Reference(selector) => {
                if let Some(value) = view.get(selector) {
                    answer.push_str(&value::markdown(value, limit.saturating_sub(answer.len()))?);
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
