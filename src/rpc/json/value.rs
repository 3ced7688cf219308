//! Converts between JSON values and the values of a Struct.

use prost_types::{ListValue, Struct, Value as Proto, value::Kind};
use serde_json::{Map, Number, Value};

/// Integers above this are not exact as doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn proto_struct(members: &Map<String, Value>, depth: usize) -> Struct {
    Struct { fields: members.iter().map(|(name, value)| (name.clone(), proto(value, depth - 1))).collect() }
}

/// Converts a value with at most `depth` nested objects and lists.
pub(super) fn proto(value: &Value, depth: usize) -> Proto {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(_) | Value::Object(_) if depth == 0 => Kind::StringValue(value.to_string()),
        Value::Array(items) => {
            Kind::ListValue(ListValue { values: items.iter().map(|item| proto(item, depth - 1)).collect() })
        }
        Value::Object(members) => Kind::StructValue(proto_struct(members, depth)),
    };
    Proto { kind: Some(kind) }
}

pub(super) fn json(value: Proto) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(number)) => number_of(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::ListValue(list)) => Value::Array(list.values.into_iter().map(json).collect()),
        Some(Kind::StructValue(inner)) => {
            Value::Object(inner.fields.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
    }
}

/// Converts integral doubles to integers, as JavaScript does. Infinities and NaN become null.
fn number_of(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
        return Value::from(number as i64);
    }
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_json_does_not_have_are_null() {
        for number in [f64::NAN, f64::INFINITY] {
            assert_eq!(number_of(number), Value::Null);
        }
        assert_eq!(number_of(2.0), json!(2));
        assert_eq!(number_of(1e300), json!(1e300));
    }
}
