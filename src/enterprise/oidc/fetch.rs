//! Requests to the provider, bounded in time and size.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use url::{Origin, Url};

use super::error::FetchError;
use crate::{
    domain::{Error, Result},
    http_client::{BodyError, HttpClients, read_body},
    telemetry::{
        client_call,
        metrics::upstreams::{Upstream, UpstreamMetrics},
    },
};

/// Longest time of a request with its response.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients for requests to the provider, which are counted.
#[derive(Clone)]
pub(crate) struct ProviderHttp {
    /// The scheme, host and port that an administrator has configured.
    issuer: Origin,
    at_issuer: Client,
    /// For endpoints at another origin, which only the provider's metadata names.
    elsewhere: Client,
    metrics: Arc<UpstreamMetrics>,
}

impl ProviderHttp {
    pub(crate) fn new(clients: &HttpClients, issuer: &str, metrics: Arc<UpstreamMetrics>) -> Result<Self> {
        Ok(Self {
            issuer: Url::parse(issuer).map_err(Error::internal)?.origin(),
            at_issuer: clients.for_configured_server()?.build().map_err(Error::internal)?,
            elsewhere: clients.for_other_servers()?.build().map_err(Error::internal)?,
            metrics,
        })
    }

    /// A request. The client certificate is presented to the origin of the issuer only.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let client = if url.origin() == self.issuer { &self.at_issuer } else { &self.elsewhere };
        client.request(method, url)
    }
}

/// Sends a request and reads at most `max_bytes` of JSON from a response with status 200.
pub(super) async fn fetch_json<T: DeserializeOwned>(
    http: &ProviderHttp,
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<T, FetchError> {
    timeout(TOTAL_TIMEOUT, read_json(http, request, max_bytes)).await.unwrap_or(Err(FetchError::TimedOut))
}

async fn read_json<T: DeserializeOwned>(
    http: &ProviderHttp,
    request: RequestBuilder,
    max_bytes: usize,
) -> Result<T, FetchError> {
    let request = request.header("accept", "application/json");
    let mut response =
        client_call::execute(Upstream::IdentityProvider, &http.metrics, request).await.map_err(unreachable)?;
    if response.status() != 200 {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let bytes = read_body(&mut response, max_bytes).await.map_err(|error| match error {
        BodyError::TooLong => FetchError::TooLong(max_bytes),
        BodyError::Interrupted(error) => unreachable(error),
    })?;
    serde_json::from_slice(&bytes).map_err(FetchError::Malformed)
}

/// The URL is left out of the error, because a callback's code may be part of it.
fn unreachable(error: reqwest::Error) -> FetchError {
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable(error.without_url()) }
}
