//! `variable-aggregator`: outputs the first of several variables that has a value, so that branches can join.

use serde::Deserialize;
use serde_json::{Value, json};

use super::outcome::{NodeOutcome, NodeResult};
use crate::runtime::builtin::{
    json::{JsonObject, flag, or_default},
    variables::{budget::VariableLimitError, pool::VariableView, selector::Selector},
};

#[derive(Debug, Deserialize)]
pub(crate) struct AggregatorNodeData {
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Selector>,
    #[serde(default, deserialize_with = "or_default")]
    advanced_settings: AdvancedSettings,
}

#[derive(Debug, Default, Deserialize)]
struct AdvancedSettings {
    #[serde(default, deserialize_with = "flag")]
    group_enabled: bool,
    #[serde(default, deserialize_with = "or_default")]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    group_name: String,
    #[serde(default, deserialize_with = "or_default")]
    variables: Vec<Selector>,
}

/// Outputs the first value of each group. A group without a value has no output.
pub(crate) fn run(data: &AggregatorNodeData, view: VariableView<'_>) -> NodeResult {
    let mut outcome = NodeOutcome::default();
    let mut budget = view.budget();
    let mut first = |variables: &[Selector], inputs: &mut JsonObject| -> Result<Option<Value>, VariableLimitError> {
        let found = variables.iter().find_map(|selector| Some((selector, view.get(selector)?)));
        let Some((selector, value)) = found else { return Ok(None) };
        inputs.insert(selector.parts()[1..].join("."), budget.copy(Some(value))?);
        Ok(Some(value.clone()))
    };
    if data.advanced_settings.group_enabled {
        for group in &data.advanced_settings.groups {
            if let Some(value) = first(&group.variables, &mut outcome.inputs)? {
                outcome.outputs.insert(group.group_name.clone(), json!({"output": value}));
            }
        }
    } else if let Some(value) = first(&data.variables, &mut outcome.inputs)? {
        outcome.outputs.insert("output".to_owned(), value);
    }
    Ok(outcome)
}
