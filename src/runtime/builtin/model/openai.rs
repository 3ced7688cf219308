//! Models behind an endpoint with `OpenAI`'s chat completions API.
//!
//! The client crate writes the request and parses the event stream. On its own it would also retry rejected requests,
//! keep the key in a type of its own, log the bodies of errors, and read ahead of a slow reader without a limit. A custom
//! HTTP service, through which all of its requests go, prevents that.

mod answer;
mod error;
mod paced_body;
mod request;
pub(crate) mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use http::{HeaderMap, HeaderValue, header};
use reqwest::Body;
use tokio::time::timeout;

use self::{
    answer::{AnswerReader, EventStream},
    error::EndpointError,
    paced_body::{PacedBody, ReadControl},
    settings::OpenAiSettings,
};
use super::{error::ModelError, prompt::Prompt, stream::ModelStream};
use crate::{
    domain::{Error, Result, app::full_provider},
    runtime::http_client::client_builder,
};

#[derive(Clone)]
pub(crate) struct OpenAiModels {
    http: reqwest::Client,
    config: OpenAIConfig,
    authorization: Option<HeaderValue>,
    settings: Arc<OpenAiSettings>,
}

impl OpenAiModels {
    /// Creates a client without connecting.
    pub(crate) fn new(settings: OpenAiSettings) -> Result<Self> {
        let authorization = settings.api_key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
            value.set_sensitive(true);
            Ok::<_, header::InvalidHeaderValue>(value)
        });
        let config = OpenAIConfig::new()
            .with_api_base(settings.base_url.as_str().trim_end_matches('/'))
            // Otherwise the crate reads these from the environment.
            .with_api_key("")
            .with_org_id("")
            .with_project_id("");
        Ok(Self {
            http: client_builder()?.build().map_err(Error::internal)?,
            config,
            authorization: authorization.transpose().map_err(Error::internal)?,
            settings: Arc::new(settings),
        })
    }

    /// Starts a call. Failures after the answer has begun are items of the stream.
    pub(crate) async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        let settings = &self.settings;
        let name =
            settings.names.get(&(full_provider(&prompt.provider), prompt.model.clone())).unwrap_or(&prompt.model);
        let body = request::body(&prompt, name);
        let control = Arc::new(ReadControl::default());
        let service = {
            let (this, control) = (self.clone(), Arc::clone(&control));
            tower::service_fn(move |request: HttpRequestFactory| {
                let (this, control) = (this.clone(), Arc::clone(&control));
                async move { this.send(request, control).await.map_err(|error| OpenAIError::Boxed(Box::new(error))) }
            })
        };
        let client = Client::build(self.http.clone(), self.config.clone()).with_http_service(service);
        let response: Result<EventStream, _> = client.chat().create_stream_byot(body).await;
        match response {
            Ok(events) => Ok(AnswerReader::new(events, control, settings).chunks()),
            Err(error) => {
                let error = EndpointError::from_client(error, control.take_error());
                Err(error.into_model_error(settings.api_key.as_ref()))
            }
        }
    }

    /// Sends the request once. Every response but a successful event stream is an error.
    async fn send(
        &self,
        request: HttpRequestFactory,
        control: Arc<ReadControl>,
    ) -> Result<reqwest::Response, EndpointError> {
        let mut request = request.build().await.map_err(|error| EndpointError::Unsendable(error.to_string()))?;
        let headers = request.headers_mut();
        headers.remove(header::AUTHORIZATION);
        headers.extend(self.authorization.clone().map(|value| (header::AUTHORIZATION, value)));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = timeout(self.settings.first_byte_timeout, self.http.execute(request)).await;
        let response = response.map_err(|_| EndpointError::TimedOut)?.map_err(EndpointError::Unreachable)?;
        let status = response.status();
        if !status.is_success() {
            let body = timeout(self.settings.idle_timeout, paced_body::error_body(response)).await;
            let message = error::message_of_body(&body.unwrap_or_default());
            return Err(EndpointError::Rejected { status, message });
        }
        if is_json(response.headers()) {
            return Err(EndpointError::NotAStream);
        }
        Ok(http::Response::new(Body::wrap_stream(PacedBody::new(response, control))).into())
    }
}

/// Endpoints that ignore `stream` answer with one JSON object. The content type is not required to be that of an event
/// stream, because some endpoints stream without it.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("application/json"))
}
