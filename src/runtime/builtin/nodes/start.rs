//! `start`: outputs the inputs of the run, and `sys.*`.

use super::outcome::NodeOutcome;
use crate::runtime::builtin::{json::JsonObject, variables::pool::VariableView};

/// The inputs, as variables of the start node.
pub(crate) fn run(inputs: &JsonObject, view: VariableView<'_>) -> NodeOutcome {
    let mut outputs = inputs.clone();
    outputs.extend(view.system().iter().map(|(name, value)| (format!("sys.{name}"), value.clone())));
    NodeOutcome { inputs: outputs.clone(), outputs, ..NodeOutcome::default() }
}
