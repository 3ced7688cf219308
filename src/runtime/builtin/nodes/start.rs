//! `start`: outputs the inputs of the run, `sys.*` and `conversation.*`. Dify adds `env.*`, which may hold secrets.

use super::outcome::NodeOutcome;
use crate::runtime::builtin::{json::JsonObject, variables::pool::VariableView};

/// The inputs, as variables of the start node.
pub(crate) fn run(inputs: &JsonObject, view: VariableView<'_>) -> NodeOutcome {
    let mut inputs = inputs.clone();
    inputs.extend(view.system().iter().map(|(name, value)| (format!("sys.{name}"), value.clone())));
    let mut outputs = inputs.clone();
    outputs.extend(view.conversation().iter().map(|(name, value)| (format!("conversation.{name}"), value.clone())));
    NodeOutcome { inputs, outputs, ..NodeOutcome::default() }
}
