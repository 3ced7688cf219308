//! Where the value of a parameter comes from.

use serde::{Deserialize as _, Deserializer, de::Error as _};
use serde_json::Value;

use crate::runtime::builtin::{
    json::{JsonObject, or_default},
    variables::{selector::Selector, text::TextTemplate},
};

/// The source of a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ToolInput {
    /// `mixed`, and a constant text: references are filled in.
    Text(TextTemplate),
    /// `variable`: the value with its type.
    Variable(Selector),
    /// `constant`, and a setting of older files: the value as it is.
    Constant(Value),
}

/// Reads `tool_parameters`: `{"type", "value"}` by name. A parameter without a value is left out.
pub(super) fn parameters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, ToolInput)>, D::Error> {
    let members: JsonObject = or_default(deserializer)?;
    let read = |(name, member): (String, Value)| {
        let value = member.get("value").filter(|value| !value.is_null())?;
        let input = match (type_of(&member), value) {
            // The references in a constant text are filled in, too, unlike those in a setting.
            ("constant", Value::String(text)) => Ok(ToolInput::Text(TextTemplate::parse(text))),
            (kind, value) => typed_input(kind, value),
        };
        Some(input.map(|input| (name.clone(), input)).map_err(|reason| format!("has the parameter `{name}`, {reason}")))
    };
    members.into_iter().filter_map(read).collect::<Result<_, _>>().map_err(D::Error::custom)
}

/// Reads `tool_configurations`: `{"type", "value"}` by name, or the plain values of older files.
pub(super) fn configurations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, ToolInput)>, D::Error> {
    let members: JsonObject = or_default(deserializer)?;
    let read = |(name, member): (String, Value)| {
        let is_input = matches!(type_of(&member), "mixed" | "variable" | "constant");
        let input = match member.get("value") {
            Some(Value::Null) if is_input => return None,
            Some(value) if is_input => typed_input(type_of(&member), value),
            _ if member.is_null() => return None,
            _ => Ok(ToolInput::Constant(member)),
        };
        Some(input.map(|input| (name.clone(), input)).map_err(|reason| format!("has the setting `{name}`, {reason}")))
    };
    members.into_iter().filter_map(read).collect::<Result<_, _>>().map_err(D::Error::custom)
}

fn type_of(member: &Value) -> &str {
    member.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// The error completes a sentence about the parameter.
fn typed_input(kind: &str, value: &Value) -> Result<ToolInput, String> {
    match (kind, value) {
        ("mixed", Value::String(text)) => Ok(ToolInput::Text(TextTemplate::parse(text))),
        ("mixed", _) => Err("whose value is not text; set it again in Dify's editor".to_owned()),
        ("variable", value) => match Selector::deserialize(value) {
            Ok(selector) => Ok(ToolInput::Variable(selector)),
            Err(_) => Err("whose value is not the name of a variable; choose one in Dify's editor".to_owned()),
        },
        ("constant", value) => Ok(ToolInput::Constant(value.clone())),
        ("", _) => Err("which has no type; set it again in Dify's editor".to_owned()),
        (other, _) => Err(format!("whose type `{other}` is unknown; choose mixed, variable or constant")),
    }
}
