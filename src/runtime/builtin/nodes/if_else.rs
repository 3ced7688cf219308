//! `if-else`: chooses a branch.
//!
//! Small values are compared right where the engine runs, as small templates are rendered there: that is bounded work of
//! microseconds. Larger ones are compared on the blocking threads, in one of the places that templates have.

pub(crate) mod condition;
mod logic;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::{
    condition::{Condition, Question},
    logic::Logic,
};
use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    template::TemplateRenderer,
    variables::pool::VariableView,
};

/// The branch taken when no case holds.
pub(crate) const ELSE: &str = "false";
/// The branch of files from before there were cases.
const THEN: &str = "true";
/// Heaviest values that are compared where the engine runs, in bytes; larger ones move to the blocking threads. Comparing takes
/// time in proportion to what is compared, so up to here it costs less than the way there and back.
const WEIGHT_HERE: usize = 64 << 10;

/// Its data.
#[derive(Debug, Deserialize)]
pub(crate) struct IfElseNodeData {
    #[serde(default, deserialize_with = "or_default")]
    cases: Vec<Case>,
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

/// A case with its values in place.
struct Prepared {
    id: String,
    logic: Logic,
    questions: Vec<Question>,
    /// The case as the event tells it.
    told: Value,
}

/// Decides.
pub(crate) fn start(
    data: &IfElseNodeData,
    view: VariableView<'_>,
    limit: usize,
    templates: &TemplateRenderer,
) -> NodeRun {
    let prepared = match prepare(data, view, limit) {
        Ok(prepared) => prepared,
        Err(failure) => return NodeRun::Ready(Err(failure)),
    };
    let weight: usize = prepared.iter().flat_map(|case| &case.questions).map(Question::weight).sum();
    if weight <= WEIGHT_HERE {
        return NodeRun::Ready(decide(&prepared));
    }
    let decision = templates.run_blocking(move || decide(&prepared));
    NodeRun::Pending(Box::pin(async {
        decision.await.unwrap_or_else(|| Err(NodeError::new("ConditionError", "the conditions were not compared")))
    }))
}

fn prepare(data: &IfElseNodeData, view: VariableView<'_>, limit: usize) -> Result<Vec<Prepared>, Box<NodeError>> {
    let mut budget = view.budget();
    let mut questions = |conditions: &[Condition]| -> Result<Vec<Question>, Box<NodeError>> {
        conditions.iter().map(|condition| condition.ask(view, limit, &mut budget)).collect()
    };
    if data.cases.is_empty() {
        let questions = questions(&data.conditions)?;
        return Ok(vec![Prepared {
            id: THEN.to_owned(),
            logic: data.logical_operator,
            questions,
            told: json!("default"),
        }]);
    }
    data.cases
        .iter()
        .map(|case| {
            Ok(Prepared {
                id: case.id.clone(),
                logic: case.logical_operator,
                questions: questions(&case.conditions)?,
                told: json!(case),
            })
        })
        .collect()
}

fn decide(cases: &[Prepared]) -> NodeResult {
    let (mut inputs, mut process_data) = (JsonObject::new(), JsonObject::new());
    let mut results = Vec::new();
    let mut chosen = None;
    let mut failure = None;
    for case in cases {
        let asked: Vec<Value> = case.questions.iter().filter_map(Question::told).collect();
        match case.logic.decide(case.questions.iter().map(Question::answer)) {
            Ok((answers, holds)) => {
                inputs.insert("conditions".to_owned(), asked[..asked.len().min(answers.len())].into());
                results.push(json!({"group": case.told, "results": answers, "final_result": holds}));
                if holds {
                    chosen = Some(case.id.clone());
                    break;
                }
            }
            Err(message) => {
                inputs.insert("conditions".to_owned(), asked.into());
                failure = Some(message);
                break;
            }
        }
    }
    process_data.insert("condition_results".to_owned(), results.into());
    if let Some(message) = failure {
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
