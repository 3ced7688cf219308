//! Which model answers which provider: `echo` in here, every other behind the configured endpoint.

use async_trait::async_trait;

use super::{ModelError, ModelStream, Models, Prompt, echo::EchoModel, openai::OpenAiModels};

/// The models of this deployment.
#[derive(Clone)]
pub(crate) struct ModelRegistry {
    /// The keyless demo model.
    pub echo: EchoModel,
    /// Where everything else is asked; `None` where no endpoint is configured.
    pub endpoint: Option<OpenAiModels>,
}

#[async_trait]
impl Models for ModelRegistry {
    async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        // `echo`, or the same as a plugin: `langgenius/echo/echo`.
        if prompt.provider.rsplit('/').next() == Some("echo") {
            return Ok(self.echo.stream(&prompt));
        }
        match &self.endpoint {
            Some(endpoint) => endpoint.stream(prompt).await,
            None => Err(ModelError::new(format!(
                "No endpoint is configured for the model {} of {}. Set OPENAI_BASE_URL, and OPENAI_API_KEY if \
                 the endpoint needs a key; the provider echo needs neither.",
                named(&prompt.model),
                named(&prompt.provider)
            ))),
        }
    }
}

/// A name out of a DSL file, short enough for a sentence.
fn named(name: &str) -> String {
    name.chars().filter(|symbol| !symbol.is_control()).take(100).collect()
}
