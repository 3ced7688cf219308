//! `start`: puts out the inputs of the run, and `sys.*` beside them.

use super::Finished;
use crate::runtime::builtin::json::JsonObject;
use crate::runtime::builtin::variables::View;

/// The inputs, as variables of the start node.
pub(crate) fn run(inputs: &JsonObject, view: View<'_>) -> Finished {
    let mut all = inputs.clone();
    all.extend(view.system().iter().map(|(name, value)| (format!("sys.{name}"), value.clone())));
    Finished { outputs: all.clone(), inputs: all, ..Finished::default() }
}
