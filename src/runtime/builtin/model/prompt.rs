//! The request to a model, independent of the endpoint that answers it.

use serde_json::{Map, Value, json};

use super::image::PromptImage;

/// The author of a message of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptRole {
    /// Instructions of the app.
    System,
    User,
    /// An earlier answer of the model.
    Assistant,
}

impl PromptRole {
    /// Reads the name in a prompt template; unknown names are the user's.
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "system" => Self::System,
            "assistant" => Self::Assistant,
            _ => Self::User,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PromptMessage {
    pub role: PromptRole,
    pub text: String,
    /// Shown before the text.
    pub images: Vec<PromptImage>,
}

impl PromptMessage {
    /// A message without images.
    pub(crate) fn new(role: PromptRole, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), images: Vec::new() }
    }
}

/// Adds images to the last message if it is the user's, else as a message of the user.
pub(crate) fn add_images(messages: &mut Vec<PromptMessage>, images: Vec<PromptImage>) {
    if images.is_empty() {
        return;
    }
    match messages.last_mut() {
        Some(last) if last.role == PromptRole::User => last.images.extend(images),
        _ => messages.push(PromptMessage { images, ..PromptMessage::new(PromptRole::User, "") }),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The DSL's provider, such as `langgenius/openai/openai` or `echo`.
    pub provider: String,
    /// The DSL's model name.
    pub model: String,
    /// The DSL's `completion_params`: `temperature`, `max_tokens` and the like.
    pub parameters: Map<String, Value>,
    /// Oldest first.
    pub messages: Vec<PromptMessage>,
    /// The JSON schema that the answer follows; `None` for a text.
    pub output_schema: Option<Value>,
}

/// The messages as Dify writes them into events and stores them with a message.
pub(crate) fn messages_json(messages: &[PromptMessage]) -> Value {
    messages.iter().map(|message| json!({"role": message.role.as_str(), "text": message.text, "files": []})).collect()
}
