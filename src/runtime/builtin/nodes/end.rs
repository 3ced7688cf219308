//! `end`: sets the outputs of the run.

use serde::Deserialize;

use super::outcome::{NodeOutcome, NodeResult};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    variables::{pool::VariableView, selector::Selector},
};

#[derive(Debug, Deserialize)]
pub(crate) struct EndNodeData {
    #[serde(default, deserialize_with = "or_default")]
    pub outputs: Vec<EndOutput>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct EndOutput {
    /// The name of the output.
    pub variable: String,
    #[serde(default, deserialize_with = "or_default")]
    pub value_selector: Selector,
}

/// The outputs. A missing value is null.
pub(crate) fn run(data: &EndNodeData, view: VariableView<'_>) -> NodeResult {
    let mut budget = view.budget();
    let mut outputs = JsonObject::new();
    for output in &data.outputs {
        outputs.insert(output.variable.clone(), budget.copy(view.get(&output.value_selector))?);
    }
    Ok(NodeOutcome { inputs: outputs.clone(), outputs, ..NodeOutcome::default() })
}
