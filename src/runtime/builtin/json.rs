//! JSON objects, and how the members of a node's data are read.
//!
//! Dify reads the data with pydantic, which accepts numbers and flags that are written as text. Its editor writes such
//! texts for values that were typed in.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type JsonObject = Map<String, Value>;

/// Reads `null` as the default value: Dify's editor writes `null` for a field that was cleared.
pub(crate) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a flag: `true`, 1, or a text such as `"true"`, `"on"` or `"yes"`. `null` and an empty text are `false`.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(optional_flag(deserializer)?.unwrap_or_default())
}

/// Reads a flag; `null` and an empty text are `None`.
pub(crate) fn optional_flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if is_unset(&value) {
        return Ok(None);
    }
    let flag = match &value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    flag.map(Some).ok_or_else(|| D::Error::custom(message(&value, "true or false")))
}

/// Reads a count: a whole number, also as a float (`10.0`) or a text (`"10"`). `null` and an empty text are 0, and so
/// is a negative number.
pub(crate) fn count<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + TryFrom<u64>,
    D: Deserializer<'de>,
{
    Ok(optional_count(deserializer)?.unwrap_or_default())
}

/// Reads a count; `null` and an empty text are `None`.
pub(crate) fn optional_count<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let value = Value::deserialize(deserializer)?;
    if is_unset(&value) {
        return Ok(None);
    }
    let count = whole_number(&value).and_then(|count| T::try_from(count).ok());
    count.map(Some).ok_or_else(|| D::Error::custom(message(&value, "a whole number that is not negative")))
}

/// Reads a number, also as a text. `null` and an empty text are 0.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if is_unset(&value) {
        return Ok(0.0);
    }
    finite(&value).ok_or_else(|| D::Error::custom(message(&value, "a number")))
}

/// A sentence without its subject, which is the place of the value.
fn message(found: &Value, expected: &str) -> String {
    let text = if found.is_string() { "the text " } else { "" };
    format!("is {text}{found}; write {expected}")
}

fn is_unset(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

fn finite(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A negative number counts as 0.
fn whole_number(value: &Value) -> Option<u64> {
    /// The largest float up to which every whole number is exact.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(exact) = value.as_u64() {
        return Some(exact);
    }
    let float = finite(value)?;
    if float.fract() != 0.0 || float > MAX_EXACT {
        return None;
    }
    // `Display` of a whole float has no fraction and no exponent.
    float.max(0.0).to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_are_read_from_texts_and_numbers() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!("true"), Some(true)),
            (json!(" False "), Some(false)),
            (json!("on"), Some(true)),
            (json!(1), Some(true)),
            (json!(0.0), Some(false)),
            (json!(null), None),
            (json!(""), None),
        ] {
            assert_eq!(optional_flag(&value).unwrap(), expected, "{value}");
        }
        for value in [json!("maybe"), json!(2), json!([]), json!({})] {
            assert!(flag(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn counts_are_read_from_texts_and_floats() {
        for (value, expected) in [
            (json!(10), Some(10)),
            (json!(10.0), Some(10)),
            (json!("10"), Some(10)),
            (json!(" 10.0 "), Some(10)),
            (json!(-1), Some(0)),
            (json!(true), Some(1)),
            (json!(null), None),
            (json!(""), None),
        ] {
            assert_eq!(optional_count::<usize, _>(&value).unwrap(), expected, "{value}");
        }
        for value in [json!(2.5), json!("ten"), json!("NaN"), json!(1e300), json!([1])] {
            assert!(count::<u32, _>(&value).is_err(), "{value}");
        }
        assert!(count::<u8, _>(&json!(256)).is_err());
    }

    #[test]
    fn numbers_are_read_from_texts() {
        for (value, expected) in
            [(json!(1.5), 1.5), (json!("1000"), 1000.0), (json!(null), 0.0), (json!("-2e3"), -2000.0)]
        {
            assert!((number(&value).unwrap() - expected).abs() < f64::EPSILON, "{value}");
        }
        assert!(number(&json!("inf")).is_err() && number(&json!({})).is_err());
    }
}
