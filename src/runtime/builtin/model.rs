//! The models that LLM nodes and prompt apps talk to.

pub(crate) mod echo;
mod known;
pub(crate) mod openai;
pub(crate) mod usage;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Map, Value};

pub(crate) use known::ModelRegistry;

/// Who says a line of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PromptRole {
    /// Instructions.
    System,
    /// The person.
    User,
    /// The model itself, earlier.
    Assistant,
}

/// One line of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PromptMessage {
    /// Who says it.
    pub role: PromptRole,
    /// What is said.
    pub text: String,
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The DSL's provider, such as `langgenius/openai/openai` or `echo`.
    pub provider: String,
    /// The DSL's model name.
    pub model: String,
    /// `completion_params`: temperature, `max_tokens` and the like.
    pub parameters: Map<String, Value>,
    /// The lines, oldest first.
    pub messages: Vec<PromptMessage>,
}

/// Tokens that a call took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of the prompt.
    pub prompt_tokens: u64,
    /// Of the answer.
    pub completion_tokens: u64,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelChunk {
    /// Text to append.
    Text(String),
    /// Why the answer ends, as the model calls it: `stop`, `length` and the like; once, where the model tells.
    Finish(String),
    /// What the call took; once, at the end, where the model tells.
    Usage(Usage),
}

/// Why a model did not answer, in words fit for the person who runs the app.
#[derive(Debug, thiserror::Error)]
#[error("{}", whole(message, said.as_deref()))]
pub(crate) struct ModelError {
    /// What this service says of it.
    pub message: String,
    /// What the endpoint said: told to who sees the run step by step, and logged.
    pub said: Option<String>,
    /// The cause, for the log.
    #[source]
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ModelError {
    /// A failure of which nobody else said anything.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), said: None, cause: None }
    }
}

fn whole(message: &str, said: Option<&str>) -> String {
    said.map_or_else(|| message.to_owned(), |said| format!("{}: {said}", message.trim_end_matches('.')))
}

/// An answer as it comes. Dropping it hangs up.
pub(crate) type ModelStream = BoxStream<'static, Result<ModelChunk, ModelError>>;

/// Every model there is, by provider and name.
#[async_trait]
pub(crate) trait Models: Send + Sync + 'static {
    /// Asks a model.
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError>;
}
