//! The backend for providers whose plugin implements OAuth: Dify's plugin daemon runs the plugin (contract K1).
//!
//! The daemon is an internal service that the operator configures, so requests to it are not guarded like those to
//! providers. Its answers are bounded and checked, because a plugin is other people's code.

mod answer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use reqwest::Client;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use url::Url;

use self::answer::{authorization_url, issued, parse, rejection};
use super::answer_checks::{GrantType, check_available};
use crate::{
    domain::{
        Error, Result,
        connection::{manifest::ProviderManifest, values::CredentialValues},
        secret::{Secret, hex},
    },
    http_client::{BodyError, client_builder, read_body},
    ports::{
        clock::Clock,
        connection_backend::{AuthorizationCallback, BackendCall, BackendError, ConnectionBackend, IssuedCredentials},
    },
};

/// Longest answer of the daemon in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// Longest time of a request with its answer. The lease of a refresh lasts longer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the daemon is.
#[derive(Clone, Debug)]
pub(crate) struct PluginDaemonSettings {
    pub url: Url,
    /// Sent as `X-Api-Key`.
    pub key: Secret,
}

/// Calls plugins through the daemon.
pub(crate) struct PluginDaemonBackend {
    client: Client,
    /// Without a slash at its end.
    url: String,
    /// The value of `X-Api-Key`.
    key: HeaderValue,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Whether the provider's page may be without TLS: in development only.
    allow_http: bool,
}

impl PluginDaemonBackend {
    /// Fails for a key that no header can hold.
    pub(crate) fn new(settings: &PluginDaemonSettings, clock: Arc<dyn Clock>, allow_http: bool) -> Result<Self> {
        let client = client_builder()?.build().map_err(Error::internal)?;
        let mut key = HeaderValue::from_str(settings.key.expose())
            .map_err(|_| Error::internal("`PLUGIN_DAEMON_KEY` has characters that no HTTP header can hold"))?;
        key.set_sensitive(true);
        let url = settings.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { client, url, key, timeout: TOTAL_TIMEOUT, clock, allow_http })
    }

    /// Calls a method of the provider's plugin. Returns the data of its answer.
    async fn dispatch(
        &self,
        call: BackendCall<'_>,
        method: &str,
        more: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> Result<Map<String, Value>, BackendError> {
        let mut data = Map::new();
        data.insert("provider".to_owned(), call.provider.name().into());
        data.insert("redirect_uri".to_owned(), call.redirect_uri.into());
        data.insert("system_credentials".to_owned(), Value::Object(call.client.expose().clone()));
        data.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let body = json!({"user_id": call.account.to_string(), "data": data});
        let url = format!("{}/plugin/{}/dispatch/oauth/{method}", self.url, call.workspace);
        let request = self
            .client
            .post(url)
            .header("X-Api-Key", &self.key)
            .header("X-Plugin-ID", call.provider.plugin_id())
            .json(&body);
        let answering = async {
            let mut response = request.send().await.map_err(|error| {
                BackendError::unavailable_because("the plugin daemon does not answer", error.without_url())
            })?;
            let status = response.status();
            let body = read_body(&mut response, MAX_ANSWER).await.map_err(|error| match error {
                BodyError::TooLong => BackendError::InvalidAnswer("it is too long"),
                BodyError::Interrupted(error) => {
                    let message = "the answer of the plugin daemon was interrupted";
                    BackendError::unavailable_because(message, error.without_url())
                }
            })?;
            Ok((status, body))
        };
        let (status, body) = timeout(self.timeout, answering)
            .await
            .map_err(|_| BackendError::unavailable("the plugin daemon did not answer in time"))??;
        check_available("the plugin daemon", status)?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(BackendError::unavailable("the plugin daemon rejects the key in `PLUGIN_DAEMON_KEY`"))
            }
            status if status.is_success() => parse(&body),
            _ => Err(rejection(&body)),
        }
    }
}

/// The request of the callback as the plugin would have received it: hexadecimal digits of HTTP/1.1.
fn raw_request(redirect_uri: &str, callback: &AuthorizationCallback<'_>) -> Result<String, BackendError> {
    let mut url = Url::parse(redirect_uri).map_err(|_| BackendError::NotSupported("the redirect URI is not a URL"))?;
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("code", callback.code.expose()).append_pair("state", callback.state);
        if let Some(issuer) = callback.issuer {
            query.append_pair("iss", issuer);
        }
    }
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    Ok(hex(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()))
}

#[async_trait]
impl ConnectionBackend for PluginDaemonBackend {
    /// The plugin does not use a code verifier. Its `state` is replaced by this service's one.
    async fn authorization_url(&self, call: BackendCall<'_>, state: &str, _: &Secret) -> Result<Url, BackendError> {
        let data = self.dispatch(call, "get_authorization_url", []).await?;
        authorization_url(&data, state, self.allow_http)
    }

    async fn exchange(
        &self,
        call: BackendCall<'_>,
        callback: AuthorizationCallback<'_>,
    ) -> Result<IssuedCredentials, BackendError> {
        let request = raw_request(call.redirect_uri, &callback)?;
        let data = self.dispatch(call, "get_credentials", [("raw_http_request", request.into())]).await?;
        issued(GrantType::AuthorizationCode, &data, self.clock.now())
    }

    async fn refresh(
        &self,
        call: BackendCall<'_>,
        values: &CredentialValues,
    ) -> Result<IssuedCredentials, BackendError> {
        let credentials = Value::Object(values.expose().clone());
        let data = self.dispatch(call, "refresh_credentials", [("credentials", credentials)]).await?;
        issued(GrantType::RefreshToken, &data, self.clock.now())
    }

    /// Only the plugin knows.
    fn can_refresh(&self, _: &ProviderManifest, values: &CredentialValues) -> bool {
        !values.is_empty()
    }

    /// Plugins have no method for it.
    async fn revoke(&self, _: BackendCall<'_>, _: &CredentialValues) -> Result<(), BackendError> {
        Err(BackendError::NotSupported("plugins cannot revoke credentials"))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        connections::manifest_file::read_manifest,
        domain::id::{AccountId, WorkspaceId},
        ports::clock::SystemClock,
    };

    #[test]
    fn callback_becomes_a_raw_request() {
        let code = Secret::new("a code&b=c");
        let verifier = Secret::new("");
        let callback =
            AuthorizationCallback { code: &code, issuer: Some("https://a"), state: "s", code_verifier: &verifier };
        let raw = raw_request("https://dify.example.com:8443/console/api/x/callback", &callback).unwrap();
        let text = "GET /console/api/x/callback?code=a+code%26b%3Dc&state=s&iss=https%3A%2F%2Fa HTTP/1.1\r\n\
                    Host: dify.example.com:8443\r\n\r\n";
        assert_eq!(raw, hex(text.as_bytes()));
    }

    #[tokio::test]
    async fn daemon_that_does_not_answer_in_time_is_unavailable() {
        // The system accepts the connection; nothing reads the request.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let settings = PluginDaemonSettings { url, key: Secret::new("key") };
        let mut backend = PluginDaemonBackend::new(&settings, Arc::new(SystemClock), false).unwrap();
        assert_eq!(backend.timeout, TOTAL_TIMEOUT);
        backend.timeout = Duration::from_millis(50);
        let (workspace, account) = (WorkspaceId(Uuid::nil()), AccountId(Uuid::nil()));
        let (provider, manifest) = (
            "a/b/c".parse().unwrap(),
            read_manifest("credentials_for_provider: {api_key: {type: secret-input}}", false).unwrap(),
        );
        let (client, redirect_uri) = (&CredentialValues::default(), "https://a.example/callback");
        let call = BackendCall { workspace, account, provider: &provider, manifest: &manifest, client, redirect_uri };
        let error = backend.refresh(call, &CredentialValues::default()).await.unwrap_err();
        assert_eq!(error.to_string(), "the provider cannot be reached: the plugin daemon did not answer in time");
    }

    #[test]
    fn key_is_not_printed() {
        let settings = PluginDaemonSettings { url: "http://a.example/".parse().unwrap(), key: Secret::new("a key") };
        let backend = PluginDaemonBackend::new(&settings, Arc::new(SystemClock), false).unwrap();
        assert_eq!((backend.url.as_str(), backend.key.is_sensitive()), ("http://a.example", true));
    }
}
