//! Selects the model for a provider: `echo` runs in this process, all others behind the configured endpoint.

use async_trait::async_trait;

use super::{
    echo::EchoModel,
    error::ModelError,
    image_loader::ImageLoader,
    openai::OpenAiModels,
    prompt::Prompt,
    stream::{ModelStream, Models},
};
use crate::domain::text::is_unprintable;

#[derive(Clone)]
pub(crate) struct ModelRegistry {
    pub echo: EchoModel,
    /// Answers all other providers; `None` where no endpoint is configured.
    pub endpoint: Option<OpenAiModels>,
    /// Loads the images of prompts for the endpoint; `None` where prompts have none.
    pub images: Option<ImageLoader>,
}

#[async_trait]
impl Models for ModelRegistry {
    async fn stream(&self, mut prompt: Prompt) -> Result<ModelStream, ModelError> {
        // `echo`, or the same provider as a plugin: `langgenius/echo/echo`.
        if prompt.provider.rsplit('/').next() == Some("echo") {
            return Ok(self.echo.stream(&prompt));
        }
        match &self.endpoint {
            Some(endpoint) => {
                let _memory = match &self.images {
                    Some(images) => images.load(&mut prompt).await?,
                    None => Vec::new(),
                };
                endpoint.stream(prompt).await
            }
            None => Err(ModelError::new(format!(
                "No endpoint is configured for the model {} of {}. Set OPENAI_BASE_URL, and OPENAI_API_KEY if \
                 the endpoint needs a key; the provider echo needs neither.",
                shortened(&prompt.model),
                shortened(&prompt.provider)
            ))),
        }
    }
}

/// A name of a DSL file, without control characters and short enough for a sentence.
fn shortened(name: &str) -> String {
    name.chars().filter(|symbol| !is_unprintable(*symbol)).take(100).collect()
}
