//! Models behind any endpoint that speaks `OpenAI`'s chat completions.
//!
//! The client crate writes the request and reads the event stream; what it does besides is put right here, in the one
//! service that its requests go through: it would try refused requests again, keep the key in a type of its own, log the
//! bodies of failures and read ahead of a slow reader without a bound.

mod body;
mod fault;
mod reading;
mod request;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_openai::{Client, config::OpenAIConfig, error::OpenAIError, middleware::HttpRequestFactory};
use http::{HeaderMap, HeaderValue, header};
use reqwest::Body;
use tokio::time::timeout;
use url::Url;

use self::{
    body::{Flow, Watched},
    fault::EndpointError,
    reading::{Pieces, Reading},
};
use super::{ModelError, ModelStream, Prompt};
use crate::{
    domain::{Error, Result, app::full_provider, secret::Secret},
    runtime::http_client::client_builder,
};

/// How the endpoint is reached.
#[derive(Clone, Debug)]
pub(crate) struct OpenAiSettings {
    /// What `/chat/completions` is appended to, such as `https://api.openai.com/v1`.
    pub base_url: Url,
    /// The bearer; endpoints on the own machine often take none.
    pub api_key: Option<Secret>,
    /// The endpoint's names of models, by the DSL's provider and name; others keep theirs.
    pub names: HashMap<(String, String), String>,
    /// How long the endpoint may take to begin its answer.
    pub first_byte: Duration,
    /// How long it may pause within one.
    pub idle: Duration,
}

/// The endpoint.
#[derive(Clone)]
pub(crate) struct OpenAiModels {
    http: reqwest::Client,
    config: OpenAIConfig,
    authorization: Option<HeaderValue>,
    settings: Arc<OpenAiSettings>,
}

impl OpenAiModels {
    /// A client of the endpoint; nothing is asked of it yet.
    pub(crate) fn new(settings: OpenAiSettings) -> Result<Self> {
        let authorization = settings.api_key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose()))?;
            value.set_sensitive(true);
            Ok::<_, header::InvalidHeaderValue>(value)
        });
        let config = OpenAIConfig::new()
            .with_api_base(settings.base_url.as_str().trim_end_matches('/'))
            // What the crate finds in the environment by itself is not configuration of this service.
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

    /// Asks the endpoint. The error is its refusal; what goes wrong later comes out of the stream.
    pub(crate) async fn stream(&self, prompt: Prompt) -> Result<ModelStream, ModelError> {
        let settings = &self.settings;
        let name =
            settings.names.get(&(full_provider(&prompt.provider), prompt.model.clone())).unwrap_or(&prompt.model);
        let body = request::body(&prompt, name);
        let flow = Arc::new(Flow::default());
        let service = {
            let (this, flow) = (self.clone(), Arc::clone(&flow));
            tower::service_fn(move |request: HttpRequestFactory| {
                let (this, flow) = (this.clone(), Arc::clone(&flow));
                async move { this.send(request, flow).await.map_err(|fault| OpenAIError::Boxed(Box::new(fault))) }
            })
        };
        let client = Client::build(self.http.clone(), self.config.clone()).with_http_service(service);
        let asked: Result<Pieces, _> = client.chat().create_stream_byot(body).await;
        let key = settings.api_key.clone();
        match asked {
            Ok(pieces) => Ok(Reading::new(pieces, flow, settings.first_byte, settings.idle, key).chunks()),
            Err(error) => Err(EndpointError::of(error, &flow).told(key.as_ref())),
        }
    }

    /// Sends the request once, and lets nothing but an event stream through.
    async fn send(&self, request: HttpRequestFactory, flow: Arc<Flow>) -> Result<reqwest::Response, EndpointError> {
        let mut request = request.build().await.map_err(|error| EndpointError::Unsendable(error.to_string()))?;
        let headers = request.headers_mut();
        headers.remove(header::AUTHORIZATION);
        headers.extend(self.authorization.clone().map(|value| (header::AUTHORIZATION, value)));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        let response = timeout(self.settings.first_byte, self.http.execute(request)).await;
        let response = response.map_err(|_| EndpointError::Slow)?.map_err(EndpointError::Unreachable)?;
        let status = response.status();
        if !status.is_success() {
            let text = timeout(self.settings.idle, body::beginning(response)).await.unwrap_or_default();
            return Err(EndpointError::Refused { status, message: fault::message_of(&text) });
        }
        if is_json(response.headers()) {
            return Err(EndpointError::NotAStream);
        }
        Ok(http::Response::new(Body::wrap_stream(Watched::new(response, flow))).into())
    }
}

/// Endpoints that ignore `stream` answer in one JSON object; not all that stream name the type of what they send.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("application/json"))
}
