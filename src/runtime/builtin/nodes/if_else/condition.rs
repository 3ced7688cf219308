//! One condition: a value, one of Dify's comparisons, and the expected value.
//!
//! Values of a type that the comparison does not support are an error, as in Dify. A missing value is null, where Dify
//! fails: after a branch that was skipped, its values are missing, and no graph can expect an error there.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    comparison::{Comparison, compare},
    logic::Logic,
};
use crate::runtime::builtin::{
    json::or_default,
    nodes::outcome::NodeError,
    variables::{
        budget::ByteBudget,
        pool::VariableView,
        selector::{CONVERSATION, Selector},
        text::TextTemplate,
        value,
        value_type::ValueType,
    },
};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Condition {
    variable_selector: Selector,
    comparison_operator: Comparison,
    #[serde(default, deserialize_with = "or_default")]
    value: Expected,
    #[serde(default, rename = "sub_variable_condition")]
    file_conditions: Option<SubConditions>,
}

/// The expected value: a text with references, or another value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Expected {
    Text(TextTemplate),
    Value(Value),
}

impl Default for Expected {
    fn default() -> Self {
        Self::Value(Value::Null)
    }
}

/// Conditions on the members of the files of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SubConditions {
    #[serde(default, deserialize_with = "or_default")]
    logical_operator: Logic,
    #[serde(default, deserialize_with = "or_default")]
    conditions: Vec<SubCondition>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SubCondition {
    key: String,
    comparison_operator: Comparison,
    #[serde(default)]
    value: Value,
}

impl Condition {
    /// Reads the values. Texts have at most `limit` bytes.
    pub(crate) fn prepare(
        &self,
        view: VariableView<'_>,
        limit: usize,
        budget: &mut ByteBudget,
    ) -> Result<PreparedCondition, Box<NodeError>> {
        let actual = budget.copy(view.get(&self.variable_selector))?;
        let expected = match &self.value {
            Expected::Text(text) => Value::String(text.render(view, limit)?),
            Expected::Value(value) => value.clone(),
        };
        budget.spend(&expected)?;
        let files = self.file_conditions.clone().filter(|_| actual.as_array().is_some_and(|items| !items.is_empty()));
        let expects_flags = match &actual {
            Value::Bool(_) => true,
            Value::Array(items) if items.is_empty() => self.is_declared_as(ValueType::ArrayBoolean, view),
            Value::Array(items) => items.iter().all(Value::is_boolean),
            _ => false,
        };
        Ok(PreparedCondition { comparison: self.comparison_operator, actual, expected, expects_flags, files })
    }

    /// Whether the value is a conversation variable of this type.
    fn is_declared_as(&self, value_type: ValueType, view: VariableView<'_>) -> bool {
        let variable = self.variable_selector.split().filter(|(node, ..)| *node == CONVERSATION);
        variable.is_some_and(|(_, name, members)| members.is_empty() && view.declared_type(name) == value_type)
    }
}

/// A condition with its values.
pub(crate) struct PreparedCondition {
    comparison: Comparison,
    actual: Value,
    expected: Value,
    /// Whether the actual value is a flag or a list of flags, so that the expected value is read as such.
    expects_flags: bool,
    /// Present for a list of files that is not empty; an empty list is compared like any other.
    files: Option<SubConditions>,
}

impl PreparedCondition {
    /// The approximate size of the compared values, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let times = match (&self.expected, &self.files) {
            (_, Some(files)) => files.conditions.len(),
            (Value::Array(items), None) => items.len(),
            _ => 1,
        };
        value::weight(&self.actual).saturating_mul(times.max(1)).saturating_add(value::weight(&self.expected))
    }

    /// Evaluates the condition. Fails with the reason why the values cannot be compared.
    pub(crate) fn evaluate(&self) -> Result<EvaluatedCondition, String> {
        let is_about_files =
            matches!(self.comparison, Comparison::Contains | Comparison::NotContains | Comparison::AllOf);
        if let (Some(conditions), Value::Array(files), true) = (&self.files, &self.actual, is_about_files) {
            return Ok(EvaluatedCondition { result: conditions.evaluate(files)?, event: None });
        }
        if self.comparison.is_existence() {
            let result = compare(self.comparison, &self.actual, &Value::Null)?;
            return Ok(EvaluatedCondition { result, event: None });
        }
        let expected = if self.expects_flags { as_flags(self.expected.clone())? } else { self.expected.clone() };
        let result = compare(self.comparison, &self.actual, &expected)?;
        let event = json!({
            "actual_value": self.actual,
            "expected_value": expected,
            "comparison_operator": self.comparison,
        });
        Ok(EvaluatedCondition { result, event: Some(event) })
    }
}

/// The result of a condition.
pub(crate) struct EvaluatedCondition {
    pub result: bool,
    /// The condition as the event reports it; `None` for conditions on files and on existence, which are only in the
    /// case.
    pub event: Option<Value>,
}

impl SubConditions {
    fn evaluate(&self, files: &[Value]) -> Result<bool, String> {
        let results = self.conditions.iter().map(|condition| {
            let mut results = files.iter().map(|file| condition.evaluate(file));
            if condition.comparison_operator.is_negated() {
                Logic::And.evaluate(&mut results).map(|(_, all)| all)
            } else {
                Logic::Or.evaluate(&mut results).map(|(_, any)| any)
            }
        });
        self.logical_operator.evaluate(results).map(|(_, result)| result)
    }
}

impl SubCondition {
    fn evaluate(&self, file: &Value) -> Result<bool, String> {
        let names: &[&str] = match self.key.as_str() {
            "name" => &["name", "filename"],
            "url" => &["url", "remote_url"],
            key => &[key],
        };
        let member = names.iter().find_map(|name| file.get(name)).unwrap_or(&Value::Null);
        if self.key != "extension" {
            return compare(self.comparison_operator, member, &self.value);
        }
        // Extensions are compared with a dot, whether or not they are written with one.
        let with_dot = |value: &Value| match value {
            Value::String(text) if !text.is_empty() && !text.starts_with('.') => json!(format!(".{text}")),
            other => other.clone(),
        };
        compare(self.comparison_operator, &with_dot(member), &with_dot(&self.value))
    }
}

/// The expected value for a flag, or a list of flags. Dify reads those that are written as text, as JSON.
fn as_flags(expected: Value) -> Result<Value, String> {
    match expected {
        Value::Null => Ok(Value::Null),
        Value::Array(items) => items.iter().map(|item| flag(item).map(Value::Bool)).collect(),
        expected => flag(&expected).map(Value::Bool),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match parsed.as_ref().unwrap_or(value) {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) if !number.is_f64() => Ok(number.as_f64() != Some(0.0)),
        _ => Err("Invalid expected value type: boolean".to_owned()),
    }
}

#[cfg(test)]
mod tests;
