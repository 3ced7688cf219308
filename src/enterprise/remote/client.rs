//! Sends requests to the enterprise service: time limit, one retry of reads, circuit breaker, bounded answers.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Client, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};
use url::Url;

use super::{circuit_breaker::CircuitBreaker, error::RemoteError, messages::ErrorAnswer, settings::RemoteSettings};
use crate::{
    domain::{Error, Result, sentence::sentence},
    http_client::{BodyError, read_body},
    ports::clock::Clock,
    telemetry::{
        client_call,
        metrics::{
            Metrics,
            enterprise::{EnterpriseOperation, EnterpriseOutcome},
            upstreams::Upstream,
        },
    },
};

const SECRET_KEY: HeaderName = HeaderName::from_static("enterprise-api-secret-key");
/// Largest error response that is read, in bytes.
const MAX_ERROR_BODY: usize = 16 << 10;

pub(super) struct RemoteClient {
    http: Client,
    url: Url,
    secret_key: HeaderValue,
    breaker: Arc<CircuitBreaker>,
    permits: Semaphore,
    settings: RemoteSettings,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// One request.
pub(super) struct RemoteRequest {
    operation: EnterpriseOperation,
    method: Method,
    url: Url,
    body: Option<bytes::Bytes>,
    /// Largest answer, in bytes.
    max_body: usize,
    /// Whether it changes nothing, so that it may be sent once more.
    is_read: bool,
}

impl RemoteRequest {
    /// Declares that the request starts something and is sent once.
    pub(super) fn once(mut self) -> Self {
        self.is_read = false;
        self
    }
}

impl RemoteClient {
    pub(super) fn new(settings: RemoteSettings, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Result<Self> {
        let limits = settings.limits;
        let http = settings
            .clients
            .for_configured_server()?
            .connect_timeout(limits.connect_timeout)
            .retry(reqwest::retry::never())
            .build()
            .map_err(Error::internal)?;
        // The error does not quote the value.
        let mut secret_key = HeaderValue::from_str(settings.secret_key.expose()).map_err(Error::internal)?;
        secret_key.set_sensitive(true);
        let mut url = settings.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let breaker = Arc::new(CircuitBreaker::new(limits.max_failures, limits.open_for));
        let observed = Arc::clone(&breaker);
        metrics.enterprise.observe_breaker(move || observed.is_open());
        Ok(Self {
            http,
            url,
            secret_key,
            breaker,
            permits: Semaphore::new(limits.max_concurrent),
            settings,
            clock,
            metrics,
        })
    }

    pub(super) fn get(
        &self,
        operation: EnterpriseOperation,
        path: &[&str],
        query: &[(&str, &str)],
        max_body: usize,
    ) -> RemoteRequest {
        let mut url = self.at(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        RemoteRequest { operation, method: Method::GET, url, body: None, max_body, is_read: true }
    }

    pub(super) fn post(
        &self,
        operation: EnterpriseOperation,
        path: &[&str],
        body: &impl Serialize,
        max_body: usize,
    ) -> Result<RemoteRequest, RemoteError> {
        let body = serde_json::to_vec(body).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        Ok(RemoteRequest {
            operation,
            method: Method::POST,
            url: self.at(path),
            body: Some(body.into()),
            max_body,
            is_read: true,
        })
    }

    /// Sends a request and reads its answer, within the total timeout.
    pub(super) async fn call<T: DeserializeOwned>(&self, request: RemoteRequest) -> Result<T, RemoteError> {
        let answer = self.send_once_or_twice(&request).await;
        let outcome = answer.as_ref().map_or_else(RemoteError::outcome, |_| EnterpriseOutcome::Answered);
        self.metrics.enterprise.call(request.operation, outcome);
        answer
    }

    async fn send_once_or_twice<T: DeserializeOwned>(&self, request: &RemoteRequest) -> Result<T, RemoteError> {
        let _permit = self.permits.try_acquire().map_err(|_| RemoteError::Busy)?;
        let deadline = Instant::now() + self.settings.limits.total_timeout;
        match self.attempt(request, deadline).await {
            Err(error) if request.is_read && error.is_worth_a_retry() => self.attempt(request, deadline).await,
            answer => answer,
        }
    }

    async fn attempt<T: DeserializeOwned>(&self, request: &RemoteRequest, deadline: Instant) -> Result<T, RemoteError> {
        if !self.breaker.admits(self.clock.now()) {
            return Err(RemoteError::CircuitOpen);
        }
        let answer = timeout_at(deadline, self.send(request)).await.unwrap_or(Err(RemoteError::TimedOut));
        match &answer {
            Err(error) if error.is_failure_of_the_service() => self.breaker.record_failure(self.clock.now()),
            _ => self.breaker.record_success(),
        }
        answer
    }

    async fn send<T: DeserializeOwned>(&self, request: &RemoteRequest) -> Result<T, RemoteError> {
        let mut headers = HeaderMap::new();
        headers.insert(SECRET_KEY, self.secret_key.clone());
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = self.http.request(request.method.clone(), request.url.clone());
        if let Some(body) = &request.body {
            headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            builder = builder.body(body.clone());
        }
        let mut response =
            client_call::execute(Upstream::Enterprise, &self.metrics.upstreams, builder.headers(headers))
                .await
                .map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(rejection(&mut response).await);
        }
        let body = read_body(&mut response, request.max_body).await.map_err(|error| match error {
            BodyError::TooLong => RemoteError::TooLong(request.max_body),
            BodyError::Interrupted(error) => unreachable(error),
        })?;
        serde_json::from_slice(&body).map_err(|error| RemoteError::Malformed(error.to_string()))
    }

    fn at(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        // Fails only for URLs without a host, which the configuration rejects.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn unreachable(error: reqwest::Error) -> RemoteError {
    if error.is_timeout() {
        return RemoteError::TimedOut;
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    RemoteError::Unreachable(sentence(&text).unwrap_or_default())
}

async fn rejection(response: &mut Response) -> RemoteError {
    let status = response.status().as_u16();
    let body = read_body(response, MAX_ERROR_BODY).await.unwrap_or_default();
    let text = serde_json::from_slice::<ErrorAnswer>(&body).unwrap_or_default().text();
    let message = text.as_deref().and_then(sentence).unwrap_or_else(|| "without a message".to_owned());
    RemoteError::Status { status, message }
}
