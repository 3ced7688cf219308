//! The request, written from a prompt.

use serde_json::{Map, Value, json};

use crate::runtime::builtin::model::{Prompt, PromptMessage, PromptRole};

/// `completion_params` that are passed on as they are. Anything else is meant for Dify, or would change the form of the
/// answer (`n`, `stream`, `tools`, `logprobs`).
const PASSED: [&str; 12] = [
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

/// The body of a request for a model by the endpoint's name.
pub(super) fn body(prompt: &Prompt, model: &str) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), prompt.messages.iter().map(message).collect());
    body.insert("stream".to_owned(), true.into());
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    for name in PASSED {
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
    let role = match message.role {
        PromptRole::System => "system",
        PromptRole::User => "user",
        PromptRole::Assistant => "assistant",
    };
    json!({"role": role, "content": message.text})
}

/// Empty lists and texts are how Dify's forms write that nothing was chosen.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Dify writes the format as its name, and the schema, as text, beside it.
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
