//! `template-transform`: renders a Jinja template.

use serde::Deserialize;
use serde_json::Value;

use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::builtin::{
    jinja::error::TemplateError,
    json::{JsonObject, or_default},
    template::{AppRenderer, Rendering, TemplateSource},
    variables::{
        budget::{ByteBudget, VariableLimitError},
        pool::VariableView,
        selector::Selector,
    },
};

#[derive(Debug, Deserialize)]
pub(crate) struct TemplateTransformNodeData {
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<TemplateVariable>,
    template: TemplateSource,
}

impl TemplateTransformNodeData {
    /// Checks that the template can be rendered here.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.template.check().map_err(|error| format!("has a template that cannot be rendered: {error}"))
    }
}

/// A variable that a template can read.
#[derive(Debug, Deserialize)]
pub(crate) struct TemplateVariable {
    /// The name in the template.
    pub variable: String,
    #[serde(default, deserialize_with = "or_default")]
    pub value_selector: Selector,
}

/// The values of the variables. A missing value is null.
pub(crate) fn values(
    variables: &[TemplateVariable],
    view: VariableView<'_>,
    budget: &mut ByteBudget,
) -> Result<JsonObject, VariableLimitError> {
    let mut values = JsonObject::new();
    for variable in variables {
        values.insert(variable.variable.clone(), budget.copy(view.get(&variable.value_selector))?);
    }
    Ok(values)
}

/// Starts to render the template.
pub(crate) fn start(data: &TemplateTransformNodeData, view: VariableView<'_>, templates: &AppRenderer) -> NodeRun {
    let inputs = match values(&data.variables, view, &mut view.budget()) {
        Ok(inputs) => inputs,
        Err(error) => return NodeRun::Ready(Err(error.into())),
    };
    match templates.render(&data.template, &inputs) {
        Rendering::Ready(result) => NodeRun::Ready(node_result(result, inputs)),
        Rendering::Pending(rendering) => NodeRun::Pending(Box::pin(async { node_result(rendering.await, inputs) })),
    }
}

fn node_result(rendered: Result<String, TemplateError>, inputs: JsonObject) -> NodeResult {
    match rendered {
        Ok(output) => {
            let mut outputs = JsonObject::new();
            outputs.insert("output".to_owned(), Value::String(output));
            Ok(NodeOutcome { inputs, outputs, ..NodeOutcome::default() })
        }
        Err(error) => Err(NodeError::new("TemplateError", error.to_string()).with_inputs(inputs)),
    }
}
