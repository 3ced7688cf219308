//! `end`: gives the run its outputs.

use serde::Deserialize;

use super::outcome::{NodeOutcome, NodeResult};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    variables::{pool::VariableView, selector::Selector},
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct EndNodeData {
    /// What the run puts out.
    #[serde(default, deserialize_with = "or_default")]
    pub outputs: Vec<Output>,
}

/// A name and where its value is.
#[derive(Debug, Deserialize)]
pub(crate) struct Output {
    /// The name.
    pub variable: String,
    /// The value.
    #[serde(default, deserialize_with = "or_default")]
    pub value_selector: Selector,
}

/// The outputs; null where there is nothing.
pub(crate) fn run(data: &EndNodeData, view: VariableView<'_>) -> NodeResult {
    let mut budget = view.budget();
    let mut outputs = JsonObject::new();
    for output in &data.outputs {
        outputs.insert(output.variable.clone(), budget.copy(view.get(&output.value_selector))?);
    }
    Ok(NodeOutcome { inputs: outputs.clone(), outputs, ..NodeOutcome::default() })
}
