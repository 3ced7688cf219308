//! Requests to the daemon, and what their status reports.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use reqwest::{Client, Response};
use serde_json::Value;
use url::Url;

use crate::{
    domain::{Error, Result, connection::provider_key::ProviderKey, id::WorkspaceId, secret::Secret},
    http_client::{BodyError, HttpClients, read_body},
    telemetry::{
        client_call,
        metrics::upstreams::{Upstream, UpstreamMetrics},
    },
};

/// Longest body of a response whose status reports an error, in bytes.
const MAX_ERROR: usize = 256 * 1024;

/// Where the daemon is.
#[derive(Clone, Debug)]
pub(crate) struct PluginDaemonSettings {
    pub url: Url,
    /// Sent as `X-Api-Key`.
    pub key: Secret,
    pub metrics: Arc<UpstreamMetrics>,
    pub clients: HttpClients,
}

/// Why the daemon has not accepted a request. No variant quotes the request.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonError {
    #[error("the plugin daemon does not answer")]
    Unreachable(#[source] reqwest::Error),
    #[error("the plugin daemon rejects the key in `PLUGIN_DAEMON_KEY`")]
    KeyRejected,
    /// A failure that passes.
    #[error("the plugin daemon returned status {}", .0.as_u16())]
    Unavailable(StatusCode),
    /// Another status, with its body.
    #[error("the plugin daemon rejects the request")]
    Rejected(Bytes),
    #[error("it is too long")]
    TooLong,
}

/// Sends requests to the daemon.
pub(crate) struct PluginDaemonClient {
    client: Client,
    /// Without a slash at its end.
    url: String,
    /// The value of `X-Api-Key`.
    key: HeaderValue,
    metrics: Arc<UpstreamMetrics>,
}

impl PluginDaemonClient {
    /// Fails for a key that no header can hold.
    pub(crate) fn new(settings: &PluginDaemonSettings) -> Result<Self> {
        let client = settings.clients.for_configured_server()?.build().map_err(Error::internal)?;
        let mut key = HeaderValue::from_str(settings.key.expose())
            .map_err(|_| Error::internal("`PLUGIN_DAEMON_KEY` has characters that no HTTP header can hold"))?;
        key.set_sensitive(true);
        let url = settings.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client, url, key, metrics: Arc::clone(&settings.metrics) })
    }

    /// Calls a method of the provider's plugin, such as `tool/invoke`. Returns the response with its body unread. The
    /// caller has a timeout.
    pub(super) async fn dispatch(
        &self,
        workspace: WorkspaceId,
        provider: &ProviderKey,
        method: &str,
        body: &Value,
    ) -> Result<Response, DaemonError> {
        let request = self
            .client
            .post(format!("{}/plugin/{workspace}/dispatch/{method}", self.url))
            .header("X-Api-Key", &self.key)
            .header("X-Plugin-ID", provider.plugin_id())
            .json(body);
        let mut response = client_call::execute(Upstream::PluginDaemon, &self.metrics, request)
            .await
            .map_err(|error| DaemonError::Unreachable(error.without_url()))?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(DaemonError::KeyRejected),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(DaemonError::Unavailable(status))
            }
            status if status.is_success() => Ok(response),
            _ => Err(match read_body(&mut response, MAX_ERROR).await {
                Ok(body) => DaemonError::Rejected(body),
                Err(BodyError::TooLong) => DaemonError::TooLong,
                Err(BodyError::Interrupted(error)) => DaemonError::Unreachable(error.without_url()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_not_printed() {
        let settings = PluginDaemonSettings {
            url: "http://a.example/".parse().unwrap(),
            key: Secret::new("a key"),
            metrics: Arc::default(),
            clients: HttpClients::default(),
        };
        let client = PluginDaemonClient::new(&settings).unwrap();
        assert_eq!((client.url.as_str(), client.key.is_sensitive()), ("http://a.example", true));
    }
}
