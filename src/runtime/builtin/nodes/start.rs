//! `start`: puts out the inputs of the run, and `sys.*` beside them.

use super::outcome::NodeOutcome;
use crate::runtime::builtin::{json::JsonObject, variables::pool::VariableView};

/// The inputs, as variables of the start node.
pub(crate) fn run(inputs: &JsonObject, view: VariableView<'_>) -> NodeOutcome {
    let mut all = inputs.clone();
    all.extend(view.system().iter().map(|(name, value)| (format!("sys.{name}"), value.clone())));
    NodeOutcome { outputs: all.clone(), inputs: all, ..NodeOutcome::default() }
}
