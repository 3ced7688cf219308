//! The parameters of a call: the node's parameters and settings with the values of the variables.

use serde_json::Value;

use super::{context::ToolContext, data::ToolNodeData, input::ToolInput};
use crate::runtime::builtin::{json::JsonObject, nodes::outcome::NodeError, variables::budget::ByteBudget};

/// Settings replace parameters of the same name, as in Dify. A parameter whose variable has no value is left out; the
/// tool decides whether it needs it.
pub(super) fn values(data: &ToolNodeData, context: &ToolContext<'_>) -> Result<JsonObject, Box<NodeError>> {
    let mut budget = context.view.budget();
    let mut values = JsonObject::new();
    for (name, input) in &data.tool_parameters {
        if let Some(value) = value(input, context, &mut budget)? {
            values.insert(name.clone(), value);
        }
    }
    for (name, input) in &data.tool_configurations {
        let value = value(input, context, &mut budget)?;
        let value = value.ok_or_else(|| {
            let message = format!("Failed to get tool runtime: the variable of the setting {name} does not exist");
            NodeError::new("ToolParameterError", message)
        })?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// `None` for a variable without a value.
fn value(
    input: &ToolInput,
    context: &ToolContext<'_>,
    budget: &mut ByteBudget,
) -> Result<Option<Value>, Box<NodeError>> {
    Ok(match input {
        ToolInput::Constant(value) => Some(value.clone()),
        ToolInput::Variable(selector) => match context.view.get(selector) {
            Some(found) => Some(budget.copy(Some(found))?),
            None => None,
        },
        ToolInput::Text(text) => {
            let value = Value::String(text.render(context.view, context.limit)?);
            budget.spend(&value)?;
            Some(value)
        }
    })
}
