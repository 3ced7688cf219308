//! Text as every database can hold it: PostgreSQL holds no NUL, neither in text nor in JSON. It becomes the replacement
//! character, so that a row is never lost to one.

use serde_json::Value;

/// A text without NUL.
pub(super) fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

/// A JSON value without NUL in its texts and names.
pub(super) fn storable_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text)),
        Value::Array(items) => items.iter().map(storable_json).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (storable(name), storable_json(value))).collect())
        }
        other => other.clone(),
    }
}
