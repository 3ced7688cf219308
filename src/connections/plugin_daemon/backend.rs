//! The backend of providers whose plugin implements OAuth (contract K1).

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use url::Url;

use super::{
    answer::{authorization_url, data_of, error_of, issued},
    client::{DaemonError, PluginDaemonClient},
    lines::{LineError, LineReader},
    plugin_error::PluginError,
};
use crate::{
    connections::answer_checks::GrantType,
    domain::{
        connection::{manifest::ProviderManifest, values::CredentialValues},
        secret::{Secret, hex},
    },
    ports::{
        clock::Clock,
        connection_backend::{AuthorizationCallback, BackendCall, BackendError, ConnectionBackend, IssuedCredentials},
    },
};

/// Longest answer of the daemon in bytes.
const MAX_ANSWER: usize = 256 * 1024;
/// Longest time of a request with its answer. The lease of a refresh lasts longer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls the OAuth methods of plugins.
pub(crate) struct PluginDaemonBackend {
    client: PluginDaemonClient,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Whether the provider's page may be without TLS: in development only.
    allow_http: bool,
}

impl PluginDaemonBackend {
    pub(crate) fn new(client: PluginDaemonClient, clock: Arc<dyn Clock>, allow_http: bool) -> Self {
        Self { client, timeout: TOTAL_TIMEOUT, clock, allow_http }
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
        let method = format!("oauth/{method}");
        let answering = async {
            let response = self.client.dispatch(call.workspace, call.provider, &method, &body).await?;
            let mut lines = LineReader::new(response, MAX_ANSWER, None);
            while let Some(line) = lines.next().await? {
                if let Some(data) = data_of(&line)? {
                    return Ok(data);
                }
            }
            Err(BackendError::InvalidAnswer("it has no data"))
        };
        timeout(self.timeout, answering)
            .await
            .map_err(|_| BackendError::unavailable("the plugin daemon did not answer in time"))?
    }
}

impl From<DaemonError> for BackendError {
    fn from(error: DaemonError) -> Self {
        let message = error.to_string();
        match error {
            DaemonError::Unreachable(cause) => Self::unavailable_because(message, cause),
            DaemonError::KeyRejected | DaemonError::Unavailable(_) => Self::unavailable(message),
            DaemonError::Rejected(body) => match PluginError::of_body(&body) {
                Some(error) => error_of(&error),
                None => Self::InvalidAnswer("the plugin daemon rejects the request"),
            },
            DaemonError::TooLong => Self::InvalidAnswer("it is too long"),
        }
    }
}

impl From<LineError> for BackendError {
    fn from(error: LineError) -> Self {
        let message = error.to_string();
        match error {
            LineError::Invalid(_) => Self::InvalidAnswer("a line of the plugin daemon is not as specified"),
            LineError::TooLong => Self::InvalidAnswer("it is too long"),
            LineError::Interrupted(cause) => Self::unavailable_because(message, cause),
            LineError::Memory(cause) => Self::unavailable_because(message, cause),
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
        connections::{manifest_file::read_manifest, plugin_daemon::PluginDaemonSettings},
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
        let clients = crate::http_client::HttpClients::default();
        let settings = PluginDaemonSettings { url, key: Secret::new("key"), metrics: Arc::default(), clients };
        let client = PluginDaemonClient::new(&settings).unwrap();
        let mut backend = PluginDaemonBackend::new(client, Arc::new(SystemClock), false);
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
}
