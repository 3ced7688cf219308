//! `if-else`: chooses a branch.
//!
//! Small values are compared inline, as small templates are rendered: that is bounded work of microseconds. Larger
//! values are compared on the blocking threads, within the limit of templates.

mod comparison;
pub(crate) mod condition;
mod logic;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{
    condition::{Condition, PreparedCondition},
    logic::Logic,
};
use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    template::AppRenderer,
    variables::pool::VariableView,
};

/// The branch that is followed when no case is true.
pub(crate) const ELSE: &str = "false";
/// The branch of older files, which have no cases.
const THEN: &str = "true";
/// Largest weight of values that are compared inline, in bytes. A comparison takes time in proportion to its values; up
/// to here it is cheaper than moving to a blocking thread.
const MAX_INLINE_WEIGHT: usize = 64 << 10;

#[derive(Debug, Deserialize)]
pub(crate) struct IfElseNodeData {
    #[serde(default)]
    cases: Option<Vec<Case>>,
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<Condition>,
    #[serde(default, deserialize_with = "or_default")]
    logical_operator: Logic,
}

#[derive(Debug, Serialize, Deserialize)]
struct Case {
    #[serde(rename = "case_id")]
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    logical_operator: Logic,
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<Condition>,
}

/// A case with the values of its conditions.
struct PreparedCase {
    id: String,
    logic: Logic,
    conditions: Vec<PreparedCondition>,
    /// The case as the event reports it.
    event: Value,
}

/// Starts to evaluate the cases. Texts have at most `limit` bytes.
pub(crate) fn start(data: &IfElseNodeData, view: VariableView<'_>, limit: usize, templates: &AppRenderer) -> NodeRun {
    let prepared = match prepare(data, view, limit) {
        Ok(prepared) => prepared,
        Err(error) => return NodeRun::Ready(Err(error)),
    };
    let weight: usize = prepared.iter().flat_map(|case| &case.conditions).map(PreparedCondition::weight).sum();
    if weight <= MAX_INLINE_WEIGHT {
        return NodeRun::Ready(evaluate(&prepared));
    }
    let result = templates.run_blocking(move || evaluate(&prepared));
    NodeRun::Pending(Box::pin(async {
        result.await.unwrap_or_else(|error| Err(NodeError::new("ConditionError", error.to_string())))
    }))
}

fn prepare(data: &IfElseNodeData, view: VariableView<'_>, limit: usize) -> Result<Vec<PreparedCase>, Box<NodeError>> {
    let mut budget = view.budget();
    let mut prepare_all = |conditions: &[Condition]| -> Result<Vec<PreparedCondition>, Box<NodeError>> {
        conditions.iter().map(|condition| condition.prepare(view, limit, &mut budget)).collect()
    };
    let Some(cases) = &data.cases else {
        return Ok(vec![PreparedCase {
            id: THEN.to_owned(),
            logic: data.logical_operator,
            conditions: prepare_all(&data.conditions)?,
            event: json!("default"),
        }]);
    };
    cases
        .iter()
        .map(|case| {
            Ok(PreparedCase {
                id: case.id.clone(),
                logic: case.logical_operator,
                conditions: prepare_all(&case.conditions)?,
                event: json!(case),
            })
        })
        .collect()
}

fn evaluate(cases: &[PreparedCase]) -> NodeResult {
    let (mut inputs, mut process_data) = (JsonObject::new(), JsonObject::new());
    let (mut results, mut compared) = (Vec::new(), Vec::new());
    let mut chosen = None;
    let mut error = None;
    for case in cases {
        let mut events = Vec::new();
        let conditions = case.conditions.iter().map(|condition| {
            let evaluated = condition.evaluate()?;
            events.extend(evaluated.event);
            Ok(evaluated.result)
        });
        match case.logic.evaluate(conditions) {
            Ok((condition_results, is_true)) => {
                compared = events;
                results.push(json!({"group": case.event, "results": condition_results, "final_result": is_true}));
                if is_true {
                    chosen = Some(case.id.clone());
                    break;
                }
            }
            Err(message) => {
                // As in Dify, a node that fails reports no conditions.
                compared.clear();
                error = Some(message);
                break;
            }
        }
    }
    inputs.insert("conditions".to_owned(), compared.into());
    process_data.insert("condition_results".to_owned(), results.into());
    if let Some(message) = error {
        return Err(NodeError::new("ValueError", message).with_inputs(inputs).with_process_data(process_data));
    }
    let mut outputs = JsonObject::new();
    outputs.insert("result".to_owned(), Value::Bool(chosen.is_some()));
    let branch = chosen.unwrap_or_else(|| ELSE.to_owned());
    outputs.insert("selected_case_id".to_owned(), Value::String(branch.clone()));
    Ok(NodeOutcome { inputs, process_data, outputs, usage: None, branch: Some(branch) })
}

#[cfg(test)]
mod tests;
