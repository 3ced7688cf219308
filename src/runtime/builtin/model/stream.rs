//! The answer of a model, streamed in chunks.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{error::ModelError, prompt::Prompt, usage::Usage};

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ModelChunk {
    /// Text to append to the answer.
    Text(String),
    /// The model's own finish reason, such as `stop` or `length`. At most once; models may omit it.
    Finish(String),
    /// Tokens that the call used. At most once, at the end; models may omit it.
    Usage(Usage),
}

/// An answer in progress. Dropping the stream cancels the call.
pub(crate) type ModelStream = BoxStream<'static, Result<ModelChunk, ModelError>>;

/// All models of a deployment, addressed by the provider and the model name of a prompt.
#[async_trait]
pub(crate) trait Models: Send + Sync + 'static {
    /// Starts a call. Failures after the answer has begun are items of the stream.
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError>;
}
