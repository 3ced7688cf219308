//! `template-transform`: renders a Jinja template.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::{Failure, Finished, NodeResult, Step};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    template::{Rendering, Source, Templates},
    variables::{Budget, Selector, View, pool::Overflow},
};

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct Data {
    /// What the template can read.
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Variable>,
    template: Source,
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
pub(crate) fn values(variables: &[Variable], view: View<'_>, budget: &mut Budget) -> Result<JsonObject, Overflow> {
    let mut values = JsonObject::new();
    for variable in variables {
        values.insert(variable.variable.clone(), budget.copy(view.get(&variable.value_selector))?);
    }
    Ok(values)
}

/// Renders it.
pub(crate) fn start(data: &Data, view: View<'_>, templates: &Arc<Templates>) -> Step {
    let inputs = match values(&data.variables, view, &mut view.budget()) {
        Ok(inputs) => inputs,
        Err(fault) => return Step::Done(Err(fault.into())),
    };
    match templates.render(&data.template, &inputs) {
        Rendering::Done(result) => Step::Done(ended(result, inputs)),
        Rendering::Later(rendering) => Step::Later(Box::pin(async { ended(rendering.await, inputs) })),
    }
}

fn ended(result: Result<String, crate::runtime::builtin::template::Fault>, inputs: JsonObject) -> NodeResult {
    match result {
        Ok(output) => {
            let mut outputs = JsonObject::new();
            outputs.insert("output".to_owned(), Value::String(output));
            Ok(Finished { inputs, outputs, ..Finished::default() })
        }
        Err(fault) => Err(Failure::new("TemplateError", fault.to_string()).on(inputs)),
    }
}
