//! The types that a tool declares for its parameters, as the editor keeps them in the node, and the conversion of values
//! to them, which plugins rely on.

use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value};

use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    variables::value,
};

/// The declared types by the names of parameters. A parameter without one keeps its value as it is.
#[derive(Debug, Default)]
pub(super) struct ParameterTypes(Vec<(String, ParameterType)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParameterType {
    Text,
    Number,
    Boolean,
    Array,
    Object,
}

/// One entry of `paramSchemas`.
#[derive(Deserialize)]
struct ParameterSchema {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "type", default, deserialize_with = "or_default")]
    kind: String,
}

impl<'de> Deserialize<'de> for ParameterTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let schemas: Vec<ParameterSchema> = or_default(deserializer)?;
        let typed = |schema: ParameterSchema| Some((schema.name, ParameterType::parse(&schema.kind)?));
        Ok(Self(schemas.into_iter().filter_map(typed).collect()))
    }
}

impl ParameterTypes {
    /// Converts the values of declared parameters. The error is a sentence for the person who built the app. A text that
    /// a value becomes has at most `limit` bytes.
    pub(super) fn convert(&self, values: &mut JsonObject, limit: usize) -> Result<(), String> {
        for (name, kind) in &self.0 {
            let Some(value) = values.get_mut(name) else { continue };
            let converted = kind.convert(value, limit);
            *value = converted.map_err(|reason| format!("The value of the parameter {name} {reason}"))?;
        }
        Ok(())
    }
}

impl ParameterType {
    /// `None` for types whose values are not converted: files, selectors and types of later versions.
    fn parse(kind: &str) -> Option<Self> {
        match kind {
            "string" | "secret-input" | "select" | "checkbox" | "dynamic-select" => Some(Self::Text),
            "number" => Some(Self::Number),
            "boolean" => Some(Self::Boolean),
            "array" => Some(Self::Array),
            "object" => Some(Self::Object),
            _ => None,
        }
    }

    /// As Dify's `cast_parameter_value` does. The error completes a sentence.
    fn convert(self, value: &Value, limit: usize) -> Result<Value, String> {
        Ok(match (self, value) {
            // Several choices of a select are a list.
            (Self::Text, Value::String(_) | Value::Array(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Array, Value::Array(_))
            | (Self::Object, Value::Object(_)) => value.clone(),
            (Self::Text, value) => {
                Value::String(value::text(value, limit).map_err(|error| format!("is too long: {error}"))?.into_owned())
            }
            (Self::Number, Value::String(text)) => number(text)?,
            (Self::Number, Value::Bool(flag)) => u8::from(*flag).into(),
            (Self::Number, _) => Value::Null,
            (Self::Boolean, Value::String(text)) => flag(text).into(),
            (Self::Boolean, value) => (!value::is_falsy(value)).into(),
            (Self::Array, Value::String(text)) => match serde_json::from_str(text) {
                Ok(Value::Array(items)) => Value::Array(items),
                _ => Value::Array(vec![value.clone()]),
            },
            (Self::Array, value) => Value::Array(vec![value.clone()]),
            (Self::Object, Value::String(text)) => Value::Object(serde_json::from_str(text).unwrap_or_default()),
            (Self::Object, _) => Value::Object(JsonObject::new()),
        })
    }
}

/// Null for an empty text.
fn number(text: &str) -> Result<Value, String> {
    let trimmed = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let number = match trimmed.parse::<i64>() {
        Ok(whole) => Some(Number::from(whole)),
        Err(_) => trimmed.parse::<f64>().ok().and_then(Number::from_f64),
    };
    number.map(Value::Number).ok_or_else(|| "is not a number.".to_owned())
}

/// The words of YAML 1.1. Every other text is true unless it is empty.
fn flag(text: &str) -> bool {
    !matches!(text.to_ascii_lowercase().as_str(), "" | "false" | "no" | "n" | "0")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn converted(kind: &str, value: Value) -> Result<Value, String> {
        let types: ParameterTypes =
            serde_json::from_value(json!([{"name": "a", "type": kind}, {"form": "llm"}])).unwrap();
        let mut values = JsonObject::from_iter([("a".to_owned(), value), ("other".to_owned(), json!("5"))]);
        types.convert(&mut values, 100)?;
        assert_eq!(values["other"], "5");
        Ok(values["a"].clone())
    }

    #[test]
    fn values_become_the_declared_types() {
        for (kind, value, expected) in [
            ("string", json!(5), json!("5")),
            ("string", json!(true), json!("True")),
            ("string", json!(null), json!("")),
            ("select", json!(["a", "b"]), json!(["a", "b"])),
            ("number", json!("5"), json!(5)),
            ("number", json!(" 5.5 "), json!(5.5)),
            ("number", json!(7), json!(7)),
            ("number", json!(""), json!(null)),
            ("boolean", json!("Yes"), json!(true)),
            ("boolean", json!("no"), json!(false)),
            ("boolean", json!("0"), json!(false)),
            ("boolean", json!("what"), json!(true)),
            ("boolean", json!(0), json!(false)),
            ("boolean", json!(null), json!(false)),
            ("array", json!("[1, 2]"), json!([1, 2])),
            ("array", json!("one"), json!(["one"])),
            ("array", json!({"b": 1}), json!([{"b": 1}])),
            ("object", json!("{\"b\": 1}"), json!({"b": 1})),
            ("object", json!("[1]"), json!({})),
            ("object", json!(1), json!({})),
            ("file", json!({"type": "image"}), json!({"type": "image"})),
            ("model-selector", json!("x"), json!("x")),
        ] {
            assert_eq!(converted(kind, value.clone()), Ok(expected), "{kind} {value}");
        }
    }

    #[test]
    fn value_that_cannot_be_converted_is_named() {
        for (kind, value, expected) in [
            ("number", json!("five"), "The value of the parameter a is not a number."),
            ("string", json!({"b": "x".repeat(200)}), "The value of the parameter a is too long"),
        ] {
            let error = converted(kind, value).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
