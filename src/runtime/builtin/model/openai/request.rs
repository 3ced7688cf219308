//! Writes the request body of a prompt.

use serde_json::{Map, Value, json};

use crate::runtime::builtin::model::prompt::{Prompt, PromptMessage};

/// The `completion_params` that the request takes over unchanged. The others are meant for Dify or would change the format
/// of the answer (`n`, `stream`, `tools`, `logprobs`).
const FORWARDED_PARAMETERS: [&str; 12] = [
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
    "reasoning_effort",
    "user",
];

/// `model` is the endpoint's name of the model.
pub(super) fn body(prompt: &Prompt, model: &str) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), prompt.messages.iter().map(message).collect());
    body.insert("stream".to_owned(), true.into());
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    for name in FORWARDED_PARAMETERS {
        if let Some(value) = prompt.parameters.get(name).filter(|value| !is_empty(value)) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(format) = response_format(&prompt.parameters) {
        body.insert("response_format".to_owned(), format);
    }
    Value::Object(body)
}

fn message(message: &PromptMessage) -> Value {
    json!({"role": message.role.as_str(), "content": message.text})
}

/// Dify's forms write an empty list or text for a parameter that is not set.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Dify writes the name of the format, and next to it the schema as text.
fn response_format(parameters: &Map<String, Value>) -> Option<Value> {
    match parameters.get("response_format")? {
        Value::String(name) if name == "json_schema" => {
            let schema = match parameters.get("json_schema")? {
                Value::String(text) => serde_json::from_str(text).ok()?,
                schema => schema.clone(),
            };
            Some(json!({"type": "json_schema", "json_schema": schema}))
        }
        Value::String(name) if !name.is_empty() => Some(json!({"type": name})),
        format @ Value::Object(_) => Some(format.clone()),
        _ => None,
    }
}
