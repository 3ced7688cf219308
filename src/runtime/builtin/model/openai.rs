//! Models behind an endpoint with `OpenAI`'s chat completions API.
//!
//! The client crate writes the request and parses the event stream. On its own it would also retry rejected requests,
//! keep the key in a type of its own, log the bodies of errors, and read ahead of a slow reader without a limit. A
//! custom HTTP service, through which all of its requests go, prevents that.

mod answer;
mod error;
mod paced_body;
mod request;
pub(crate) mod settings;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use reqwest::Body;
use serde_json::Value;
use tokio::time::timeout;

use self::{
    answer::{AnswerReader, EventStream},
    error::EndpointError,
    paced_body::{PacedBody, ReadControl},
    request::SchemaMode,
    settings::OpenAiSettings,
};
use super::{error::ModelError, prompt::Prompt, stream::ModelStream};
use crate::{
    domain::{Error, Result, app::full_provider},
    telemetry::{client_call, metrics::upstreams::Upstream},
};

/// Statuses with which endpoints reject a `response_format` that they do not support.
const REJECTS_FORMAT: [StatusCode; 3] =
    [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::NOT_IMPLEMENTED];
/// Largest number of models that are remembered to reject `response_format`.
const MAX_REMEMBERED: usize = 256;

#[derive(Clone)]
pub(crate) struct OpenAiModels {
    http: reqwest::Client,
    config: OpenAIConfig,
    authorization: Option<HeaderValue>,
    settings: Arc<OpenAiSettings>,
    /// The endpoint's names of models that reject `response_format` with a schema.
    without_response_format: Arc<Mutex<HashSet<String>>>,
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
            http: settings.clients.for_configured_server()?.build().map_err(Error::internal)?,
            config,
            authorization: authorization.transpose().map_err(Error::internal)?,
            settings: Arc::new(settings),
            without_response_format: Arc::default(),
        })
    }

    /// Starts a call. Failures after the answer has begun are items of the stream.
    ///
    /// A prompt with a schema is sent with `response_format`. When the endpoint rejects that request, it is sent once
    /// more with the schema in the prompt, and the model is remembered.
    pub(crate) async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        let settings = &self.settings;
        let name =
            settings.names.get(&(full_provider(&prompt.provider), prompt.model.clone())).unwrap_or(&prompt.model);
        let is_rejected = |error: &EndpointError| match error {
            EndpointError::Rejected { status, .. } => REJECTS_FORMAT.contains(status),
            _ => false,
        };
        let mode = if self.without_response_format.lock().contains(name) {
            SchemaMode::Instructions
        } else {
            SchemaMode::ResponseFormat
        };
        let mut result = self.request(request::body(&prompt, name, mode)).await;
        if prompt.output_schema.is_some()
            && mode == SchemaMode::ResponseFormat
            && result.as_ref().is_err_and(is_rejected)
        {
            result = self.request(request::body(&prompt, name, SchemaMode::Instructions)).await;
            if result.is_ok() {
                self.remember_without_response_format(name);
            }
        }
        result.map_err(|error| error.into_model_error(settings.api_key.as_ref()))
    }

    fn remember_without_response_format(&self, name: &str) {
        let mut names = self.without_response_format.lock();
        if names.len() >= MAX_REMEMBERED {
            names.clear();
        }
        names.insert(name.to_owned());
    }

    /// Sends a request and reads its response as chunks.
    async fn request(&self, body: Value) -> Result<ModelStream, EndpointError> {
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
            Ok(events) => Ok(AnswerReader::new(events, control, &self.settings).chunks()),
            Err(error) => Err(EndpointError::from_client(error, control.take_error())),
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
        let request = reqwest::RequestBuilder::from_parts(self.http.clone(), request);
        let response = timeout(
            self.settings.first_byte_timeout,
            client_call::execute(Upstream::Model, &self.settings.metrics, request),
        )
        .await;
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
