//! `start`: outputs the inputs of the run, `sys.*`, `conversation.*` and `env.*`. Secrets are masked.

use super::outcome::NodeOutcome;
use crate::runtime::builtin::{json::JsonObject, secret_masks::SecretMasks, variables::pool::VariableView};

/// The inputs, as variables of the start node.
pub(crate) fn run(inputs: &JsonObject, view: VariableView<'_>, masks: &SecretMasks) -> NodeOutcome {
    let mut inputs = inputs.clone();
    inputs.extend(view.system().iter().map(|(name, value)| (format!("sys.{name}"), value.clone())));
    let mut outputs = inputs.clone();
    outputs.extend(view.conversation().iter().map(|(name, value)| (format!("conversation.{name}"), value.clone())));
    let mut environment = view.environment().clone();
    masks.mask_object(&mut environment);
    outputs.extend(environment.into_iter().map(|(name, value)| (format!("env.{name}"), value)));
    NodeOutcome { inputs, outputs, ..NodeOutcome::default() }
}
