//! Dify's comparisons of two values. They follow Python: a flag is also a number, and numbers are read from texts.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::runtime::builtin::variables::value;

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
    /// Whether the comparison is about the value alone, so that it has no expected value.
    pub(super) fn is_existence(self) -> bool {
        matches!(self, Self::Exists | Self::NotExists)
    }

    /// Whether a list of files passes only when all of its files do.
    pub(super) fn is_negated(self) -> bool {
        matches!(self, Self::NotContains | Self::IsNot | Self::NotEmpty | Self::NotNull | Self::NotIn | Self::NotExists)
    }
}

/// Compares two values, as Dify does. Values that the comparison does not support are an error.
pub(crate) fn compare(comparison: Comparison, actual: &Value, expected: &Value) -> Result<bool, String> {
    let (falsy, null) = (value::is_falsy(actual), actual.is_null());
    match comparison {
        Comparison::Contains => Ok(!falsy && contains(actual, expected)?),
        Comparison::NotContains => Ok(falsy || !contains(actual, expected)?),
        Comparison::StartWith => Ok(!falsy && texts(actual, expected).map(|(text, part)| text.starts_with(part))?),
        Comparison::EndWith => Ok(!falsy && texts(actual, expected).map(|(text, part)| text.ends_with(part))?),
        Comparison::Is => Ok(!null && is(actual, expected)?),
        Comparison::IsNot => Ok(!null && !is(actual, expected)?),
        Comparison::Empty => Ok(falsy),
        Comparison::NotEmpty => Ok(!falsy),
        Comparison::Equal => Ok(!null && equal(actual, expected)?),
        Comparison::NotEqual => Ok(!null && !equal(actual, expected)?),
        Comparison::Greater => Ok(!null && order(actual, expected)? == Some(Ordering::Greater)),
        Comparison::Less => Ok(!null && order(actual, expected)? == Some(Ordering::Less)),
        Comparison::GreaterOrEqual => Ok(!null && order(actual, expected)?.is_some_and(Ordering::is_ge)),
        Comparison::LessOrEqual => Ok(!null && order(actual, expected)?.is_some_and(Ordering::is_le)),
        Comparison::Null | Comparison::NotExists => Ok(null),
        Comparison::NotNull | Comparison::Exists => Ok(!null),
        Comparison::In => Ok(!falsy && has(list(expected)?, actual)),
        Comparison::NotIn => Ok(falsy || !has(list(expected)?, actual)),
        Comparison::AllOf => all_of(actual, expected),
    }
}

fn contains(actual: &Value, expected: &Value) -> Result<bool, String> {
    match (actual, expected) {
        (Value::String(text), Value::String(part)) => Ok(text.contains(part.as_str())),
        // Python's names of values other than texts.
        (Value::String(text), Value::Null) => Ok(text.contains("None")),
        (Value::String(text), Value::Bool(true)) => Ok(text.contains("True")),
        (Value::String(text), Value::Bool(false)) => Ok(text.contains("False")),
        (Value::String(_), _) => Err("Invalid expected value type: string".to_owned()),
        (Value::Array(items), expected) => Ok(has(items, expected)),
        _ => Err("Invalid actual value type: string or array".to_owned()),
    }
}

fn all_of(actual: &Value, expected: &Value) -> Result<bool, String> {
    // Conditions on files have no expected value: an empty list of files is compared like any other.
    if value::is_falsy(actual) {
        return Ok(false);
    }
    let expected = list(expected)?;
    if !expected.iter().all(Value::is_string) && !expected.iter().all(Value::is_boolean) {
        return Err("Invalid expected value type: list of texts or flags".to_owned());
    }
    Ok(match actual {
        Value::Array(items) => expected.iter().all(|item| has(items, item)),
        Value::String(text) => expected.iter().all(|item| item.as_str().is_some_and(|part| text.contains(part))),
        _ => false,
    })
}

/// Whether a list has the value, or one that Python takes for equal.
fn has(items: &[Value], wanted: &Value) -> bool {
    items.iter().any(|item| match (item, wanted) {
        (Value::Number(number), Value::Bool(flag)) | (Value::Bool(flag), Value::Number(number)) => {
            number.as_f64() == Some(f64::from(u8::from(*flag)))
        }
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => item == wanted,
    })
}

fn texts<'a>(actual: &'a Value, expected: &'a Value) -> Result<(&'a str, &'a str), String> {
    let actual = actual.as_str().ok_or("Invalid actual value type: string")?;
    Ok((actual, expected.as_str().ok_or("Invalid expected value type: string")?))
}

fn is(actual: &Value, expected: &Value) -> Result<bool, String> {
    match actual {
        Value::String(_) | Value::Bool(_) => Ok(actual == expected),
        _ => Err("Invalid actual value type: string or boolean".to_owned()),
    }
}

fn equal(actual: &Value, expected: &Value) -> Result<bool, String> {
    let invalid = |name| format!("Invalid expected value type: {name}");
    match actual {
        Value::Bool(actual) => match expected {
            Value::Bool(expected) => Ok(actual == expected),
            Value::String(text) => Ok(*actual != text.is_empty()),
            Value::Number(number) => Ok(*actual == (number.as_f64() != Some(0.0))),
            _ => Err(invalid("boolean")),
        },
        Value::Number(actual) => match integer(actual) {
            // An integer is compared with an integer: Dify cannot read `3.5` as one.
            Some(actual) => Ok(actual == whole(expected).ok_or_else(|| invalid("integer"))?),
            None => Ok(actual.as_f64() == Some(float(expected).ok_or_else(|| invalid("number"))?)),
        },
        _ => Err("Invalid actual value type: number or boolean".to_owned()),
    }
}

/// The order of two numbers; `None` when one of them is not a number (NaN).
fn order(actual: &Value, expected: &Value) -> Result<Option<Ordering>, String> {
    let whole_actual = match actual {
        Value::Bool(flag) => Some(i128::from(*flag)),
        Value::Number(number) => integer(number),
        _ => return Err("Invalid actual value type: number".to_owned()),
    };
    // Integers are compared exactly: floats cannot represent all large ones.
    if let (Some(actual), Some(expected)) = (whole_actual, whole(expected).filter(|_| !is_fraction(expected))) {
        return Ok(Some(actual.cmp(&expected)));
    }
    let expected = float(expected).ok_or("Invalid expected value type: number")?;
    Ok(float(actual).and_then(|actual| actual.partial_cmp(&expected)))
}

fn is_fraction(value: &Value) -> bool {
    value.as_number().is_some_and(Number::is_f64)
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// The value as Python's `int` reads it: the fraction of a number is cut off, and a text has digits only.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(flag) => Some(i128::from(*flag)),
        Value::Number(number) => integer(number).or_else(|| {
            // `Display` of a truncated float has no fraction and no exponent.
            number.as_f64().map(f64::trunc).and_then(|float| float.to_string().parse().ok())
        }),
        Value::String(text) => digits(text)?.parse().ok(),
        _ => None,
    }
}

/// The value as Python's `float` reads it.
fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => digits(text)?.parse().ok(),
        _ => None,
    }
}

/// A number written as text, without the underscores that Python allows between digits.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let is_digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let is_between_digits = |at: usize| is_digit(at.checked_sub(1)) && is_digit(at.checked_add(1));
    text.match_indices('_').all(|(at, _)| is_between_digits(at)).then(|| text.replace('_', ""))
}

fn list(expected: &Value) -> Result<&[Value], String> {
    expected.as_array().map(Vec::as_slice).ok_or_else(|| "Invalid expected value type: array".to_owned())
}
