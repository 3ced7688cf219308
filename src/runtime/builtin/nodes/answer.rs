//! `answer`: says something to the person. The engine streams its text; this is the text as a whole.

use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{NodeError, NodeOutcome};
use crate::runtime::builtin::{
    json::JsonObject,
    variables::{Piece, Text, View, value},
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct Data {
    /// What is said.
    pub answer: Text,
}

/// The text with everything in place.
pub(crate) fn run(data: &Data, view: View<'_>, limit: usize) -> Result<NodeOutcome, Box<NodeError>> {
    let mut answer = String::new();
    for piece in data.answer.pieces() {
        match piece {
            Piece::Literal(text) => answer.push_str(text),
            Piece::Reference(selector) => {
                if let Some(found) = view.get(selector) {
                    answer.push_str(&value::markdown(found, limit.saturating_sub(answer.len()))?);
                }
            }
        }
    }
    if answer.len() > limit {
        return Err(value::TooLong { limit }.into());
    }
    let mut outputs = JsonObject::new();
    outputs.insert("answer".to_owned(), Value::String(answer));
    outputs.insert("files".to_owned(), json!([]));
    Ok(NodeOutcome { outputs, ..NodeOutcome::default() })
}
