//! One condition: a value, one of Dify's comparisons, and the expected value.
//!
//! Values of a type that the comparison does not support are an error, as in Dify. A missing value is null, where Dify
//! fails: after a branch that was skipped, its values are missing, and no graph can expect an error there.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value, json};

use super::logic::Logic;
use crate::runtime::builtin::{
    json::or_default,
    nodes::outcome::NodeError,
    variables::{budget::ByteBudget, pool::VariableView, selector::Selector, text::TextTemplate, value},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Comparison {
    #[serde(rename = "contains")]
    Contains,
    #[serde(rename = "not contains")]
    NotContains,
    #[serde(rename = "start with")]
    StartWith,
    #[serde(rename = "end with")]
    EndWith,
    #[serde(rename = "is")]
    Is,
    #[serde(rename = "is not")]
    IsNot,
    #[serde(rename = "empty")]
    Empty,
    #[serde(rename = "not empty")]
    NotEmpty,
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "≠")]
    NotEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "≥")]
    GreaterOrEqual,
    #[serde(rename = "≤")]
    LessOrEqual,
    #[serde(rename = "null")]
    Null,
    #[serde(rename = "not null")]
    NotNull,
    #[serde(rename = "in")]
    In,
    #[serde(rename = "not in")]
    NotIn,
    #[serde(rename = "all of")]
    AllOf,
    #[serde(rename = "exists")]
    Exists,
    #[serde(rename = "not exists")]
    NotExists,
}

impl Comparison {
    fn is_negated(self) -> bool {
        matches!(self, Self::NotContains | Self::IsNot | Self::NotEmpty | Self::NotNull | Self::NotIn | Self::NotExists)
    }
}

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
        let expected = as_flags(&actual, expected);
        budget.spend(&expected)?;
        let files = self.file_conditions.clone().filter(|_| actual.as_array().is_some_and(|items| !items.is_empty()));
        Ok(PreparedCondition { comparison: self.comparison_operator, actual, expected, files })
    }
}

/// A condition with its values.
pub(crate) struct PreparedCondition {
    comparison: Comparison,
    actual: Value,
    expected: Value,
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

    /// The condition as the event reports it; `None` for conditions on files, which are only in the case.
    pub(crate) fn event(&self) -> Option<Value> {
        self.files.is_none().then(|| {
            json!({
                "actual_value": self.actual,
                "expected_value": self.expected,
                "comparison_operator": self.comparison,
            })
        })
    }

    /// The result, or the reason why the values cannot be compared.
    pub(crate) fn evaluate(&self) -> Result<bool, String> {
        let is_about_files =
            matches!(self.comparison, Comparison::Contains | Comparison::NotContains | Comparison::AllOf);
        match (&self.files, &self.actual) {
            (Some(conditions), Value::Array(files)) if is_about_files => conditions.evaluate(files),
            _ => compare(self.comparison, &self.actual, &self.expected),
        }
    }
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

/// The expected value for a flag, or a list of flags: Dify reads those that are written as text.
fn as_flags(actual: &Value, expected: Value) -> Value {
    let are_flags = match actual {
        Value::Bool(_) => true,
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_boolean),
        _ => false,
    };
    match expected {
        expected if !are_flags => expected,
        Value::Array(items) => items.into_iter().map(|item| flag(&item).map_or(item, Value::Bool)).collect(),
        expected => flag(&expected).map_or(expected, Value::Bool),
    }
}

/// Compares two values, as Dify does.
pub(crate) fn compare(comparison: Comparison, actual: &Value, expected: &Value) -> Result<bool, String> {
    let (falsy, null) = (value::is_falsy(actual), actual.is_null());
    match comparison {
        Comparison::Contains => Ok(!falsy && contains(actual, expected)?),
        Comparison::NotContains => Ok(falsy || !contains(actual, expected)?),
        Comparison::StartWith => Ok(!falsy && texts(actual, expected)?.0.starts_with(texts(actual, expected)?.1)),
        Comparison::EndWith => Ok(!falsy && texts(actual, expected)?.0.ends_with(texts(actual, expected)?.1)),
        Comparison::Is => Ok(!null && is(actual, expected)?),
        Comparison::IsNot => Ok(!null && !is(actual, expected)?),
        Comparison::Empty => Ok(falsy),
        Comparison::NotEmpty => Ok(!falsy),
        Comparison::Equal => Ok(!null && equal(actual, expected)?),
        Comparison::NotEqual => Ok(!null && !equal(actual, expected)?),
        Comparison::Greater => Ok(!null && order(actual, expected)?.is_gt()),
        Comparison::Less => Ok(!null && order(actual, expected)?.is_lt()),
        Comparison::GreaterOrEqual => Ok(!null && order(actual, expected)?.is_ge()),
        Comparison::LessOrEqual => Ok(!null && order(actual, expected)?.is_le()),
        Comparison::Null | Comparison::NotExists => Ok(null),
        Comparison::NotNull | Comparison::Exists => Ok(!null),
        Comparison::In => Ok(!falsy && list(expected)?.contains(actual)),
        Comparison::NotIn => Ok(falsy || !list(expected)?.contains(actual)),
        Comparison::AllOf => {
            if falsy {
                return Ok(false);
            }
            list(expected)?.iter().try_fold(true, |all, item| Ok(all && contains(actual, item)?))
        }
    }
}

fn contains(actual: &Value, expected: &Value) -> Result<bool, String> {
    match (actual, expected) {
        (Value::String(text), Value::String(part)) => Ok(text.contains(part.as_str())),
        (Value::String(_), _) => Err("Invalid expected value type: string".to_owned()),
        (Value::Array(items), expected) => {
            let flag = items.iter().all(Value::is_boolean).then(|| flag(expected)).flatten();
            Ok(items.contains(&flag.map_or_else(|| expected.clone(), Value::Bool)))
        }
        _ => Err("Invalid actual value type: string or array".to_owned()),
    }
}

fn texts<'a>(actual: &'a Value, expected: &'a Value) -> Result<(&'a str, &'a str), String> {
    let actual = actual.as_str().ok_or("Invalid actual value type: string")?;
    Ok((actual, expected.as_str().ok_or("Invalid expected value type: string")?))
}

fn is(actual: &Value, expected: &Value) -> Result<bool, String> {
    match actual {
        Value::String(_) => Ok(actual == expected),
        Value::Bool(actual) => Ok(flag(expected).ok_or("Invalid expected value type: boolean")? == *actual),
        _ => Err("Invalid actual value type: string or boolean".to_owned()),
    }
}

fn equal(actual: &Value, expected: &Value) -> Result<bool, String> {
    match actual {
        Value::Bool(actual) => Ok(flag(expected).ok_or("Invalid expected value type: boolean")? == *actual),
        Value::Number(_) => Ok(order(actual, expected)?.is_eq()),
        _ => Err("Invalid actual value type: number or boolean".to_owned()),
    }
}

fn order(actual: &Value, expected: &Value) -> Result<std::cmp::Ordering, String> {
    let Value::Number(actual) = actual else { return Err("Invalid actual value type: number".to_owned()) };
    // Integers are compared exactly: floats cannot represent all large ones.
    if let (Some(actual), Some(expected)) = (integer(actual), integer_of(expected)) {
        return Ok(actual.cmp(&expected));
    }
    let expected = number(expected).ok_or("Invalid expected value type: number")?;
    let actual = actual.as_f64().unwrap_or(f64::NAN);
    actual.partial_cmp(&expected).ok_or_else(|| "Invalid expected value type: number".to_owned())
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn integer_of(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => integer(number),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A flag, also as a number or a text.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn list(expected: &Value) -> Result<&[Value], String> {
    expected.as_array().map(Vec::as_slice).ok_or_else(|| "Invalid expected value type: array".to_owned())
}

#[cfg(test)]
mod tests;
