//! Reads the object that a model answered with.

use serde_json::Value;

use super::reasoning;
use crate::runtime::builtin::{json::JsonObject, json_repair::repair_json};

/// The object in an answer. The error is the message of the node.
pub(super) fn parse(answer: &str) -> Result<JsonObject, String> {
    let (text, _) = reasoning::split(answer);
    let parsed = serde_json::from_str(text.trim()).ok().or_else(|| repair_json(&text));
    let object = match parsed {
        Some(Value::Object(object)) => Some(object),
        Some(Value::Array(items)) => items.into_iter().find_map(|item| match item {
            Value::Object(object) => Some(object),
            _ => None,
        }),
        _ => None,
    };
    object.ok_or_else(|| "Failed to parse structured output: the model's answer is not a JSON object".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn object_is_found_in_valid_and_invalid_json() {
        for answer in [
            r#"{"a": "b"}"#,
            "Here it is:\n```json\n{'a': 'b',}\n```",
            "<think>{\"x\": 1}</think>{\"a\": \"b\"}",
            r#"[1, {"a": "b"}]"#,
        ] {
            assert_eq!(parse(answer).map(Value::Object), Ok(json!({"a": "b"})), "{answer}");
        }
        for answer in ["yes", "", "[1, 2]", "\"a\""] {
            assert!(parse(answer).unwrap_err().starts_with("Failed to parse structured output"), "{answer}");
        }
    }
}
