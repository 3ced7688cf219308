//! `template-transform`: renders a Jinja template.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    template::{Rendering, TemplateRenderer, TemplateSource},
    variables::{
        budget::{ByteBudget, VariableLimitError},
        pool::VariableView,
        selector::Selector,
    },
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct TemplateTransformNodeData {
    /// What the template can read.
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Variable>,
    template: TemplateSource,
}

/// A name, and where its value is.
#[derive(Debug, Deserialize)]
pub(crate) struct Variable {
    /// The name.
    pub variable: String,
    /// The value.
    #[serde(default, deserialize_with = "or_default")]
    pub value_selector: Selector,
}

/// The values of variables; null where there is nothing.
pub(crate) fn values(
    variables: &[Variable],
    view: VariableView<'_>,
    budget: &mut ByteBudget,
) -> Result<JsonObject, VariableLimitError> {
    let mut values = JsonObject::new();
    for variable in variables {
        values.insert(variable.variable.clone(), budget.copy(view.get(&variable.value_selector))?);
    }
    Ok(values)
}

/// Renders it.
pub(crate) fn start(
    data: &TemplateTransformNodeData,
    view: VariableView<'_>,
    templates: &Arc<TemplateRenderer>,
) -> NodeRun {
    let inputs = match values(&data.variables, view, &mut view.budget()) {
        Ok(inputs) => inputs,
        Err(fault) => return NodeRun::Ready(Err(fault.into())),
    };
    match templates.render(&data.template, &inputs) {
        Rendering::Ready(result) => NodeRun::Ready(ended(result, inputs)),
        Rendering::Pending(rendering) => NodeRun::Pending(Box::pin(async { ended(rendering.await, inputs) })),
    }
}

fn ended(
    result: Result<String, crate::runtime::builtin::template::error::TemplateError>,
    inputs: JsonObject,
) -> NodeResult {
    match result {
        Ok(output) => {
            let mut outputs = JsonObject::new();
            outputs.insert("output".to_owned(), Value::String(output));
            Ok(NodeOutcome { inputs, outputs, ..NodeOutcome::default() })
        }
        Err(fault) => Err(NodeError::new("TemplateError", fault.to_string()).with_inputs(inputs)),
    }
}
