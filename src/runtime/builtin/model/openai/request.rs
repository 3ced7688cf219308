//! Writes the request body of a prompt.

use serde_json::{Map, Value, json};

use crate::runtime::builtin::model::image::{ImageSource, PromptImage};
use crate::runtime::builtin::model::output_schema::{schema_format, with_instructions};
use crate::runtime::builtin::model::prompt::{Prompt, PromptMessage};

/// The `completion_params` that the request takes over unchanged. The others are meant for Dify or would change the
/// format of the answer (`n`, `stream`, `tools`, `logprobs`).
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

/// The form in which an answer that follows a schema is requested from the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaMode {
    /// With `response_format`, which the endpoint enforces.
    ResponseFormat,
    /// With instructions in the prompt.
    Instructions,
}

/// `model` is the endpoint's name of the model. `mode` applies to a prompt with a schema.
pub(super) fn body(prompt: &Prompt, model: &str, mode: SchemaMode) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    let instructed = match &prompt.output_schema {
        Some(schema) if mode == SchemaMode::Instructions => Some(with_instructions(&prompt.messages, schema)),
        _ => None,
    };
    let messages = instructed.as_ref().unwrap_or(&prompt.messages);
    body.insert("messages".to_owned(), messages.iter().map(message).collect());
    body.insert("stream".to_owned(), true.into());
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    for name in FORWARDED_PARAMETERS {
        if let Some(value) = prompt.parameters.get(name).filter(|value| !is_empty(value)) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    let format = match &prompt.output_schema {
        Some(schema) => (mode == SchemaMode::ResponseFormat).then(|| schema_format(schema)),
        None => response_format(&prompt.parameters),
    };
    if let Some(format) = format {
        body.insert("response_format".to_owned(), format);
    }
    Value::Object(body)
}

fn message(message: &PromptMessage) -> Value {
    let mut parts: Vec<Value> = message.images.iter().filter_map(image).collect();
    if parts.is_empty() {
        return json!({"role": message.role.as_str(), "content": message.text});
    }
    if !message.text.is_empty() {
        parts.push(json!({"type": "text", "text": message.text}));
    }
    json!({"role": message.role.as_str(), "content": parts})
}

/// The part of an image; `None` for one that is not loaded.
fn image(image: &PromptImage) -> Option<Value> {
    let ImageSource::Data(url) = &image.source else { return None };
    let mut part = json!({"type": "image_url", "image_url": {"url": url}});
    if let Some(detail) = &image.detail {
        part["image_url"]["detail"] = json!(detail);
    }
    Some(part)
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
