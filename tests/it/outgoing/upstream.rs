//! One server for each kind of HTTP connection, and a use of it through any URL.

use reqwest::Method;
use serde_json::json;

use crate::{
    connections::{ConnectionServer, oauth_path, plugin_daemon::PluginServer},
    files::s3::Bucket,
    runs::{
        http_request_node::http_request_app,
        model_endpoint::{self, with_model},
    },
    single_sign_on::{ANN, START, SsoServer},
    support::{
        Answer, Bearer, Device, Dify, OpenIdProvider, Stores, TestServer,
        dify::{ALICE, ALICE_ID},
        enterprise_service::EnterpriseService,
        fake_dify::{FakeDify, TASK_ID},
        plugin_daemon::PluginDaemon,
        runs::blocking,
        server::{MEMBER, OWNER},
        token_provider::TokenProvider,
        uploads,
    },
};

/// "Plain Chat" of Dify's database, without a form.
const CHAT: &str = "4184c571-f427-520d-bb7c-d353feed73b9";

pub(super) enum Upstream {
    Models(String),
    Dify(FakeDify),
    Enterprise(EnterpriseService),
    IdentityProvider(OpenIdProvider),
    PluginDaemon(PluginDaemon),
    Bucket(Bucket),
    /// A server that an app names.
    HttpNode(String),
    /// The token endpoint of a connection.
    Tokens(TokenProvider),
}

impl Upstream {
    pub(super) async fn models() -> Self {
        Self::Models(model_endpoint::endpoint().await.0)
    }

    pub(super) async fn dify() -> Self {
        let end = json!({"event": "message_end", "task_id": TASK_ID, "message_id": "m", "conversation_id": "c",
            "created_at": 7, "metadata": {}});
        Self::Dify(FakeDify::sending(&[end]).await)
    }

    pub(super) async fn http_node() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(async || "inside");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self::HttpNode(url)
    }

    /// The URL without TLS.
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Models(url) | Self::HttpNode(url) => url,
            Self::Dify(fake) => &fake.url,
            Self::Enterprise(service) => &service.url,
            Self::IdentityProvider(provider) => &provider.issuer,
            Self::PluginDaemon(daemon) => &daemon.url,
            Self::Bucket(bucket) => &bucket.endpoint,
            Self::Tokens(provider) => &provider.url,
        }
    }

    /// Whether a new server with these variables can use this one through a URL. `None` without test servers.
    pub(super) async fn is_reached(&mut self, url: &str, variables: &[(&str, &str)]) -> Option<bool> {
        Box::pin(self.try_use(url, variables)).await
    }

    async fn try_use(&mut self, url: &str, variables: &[(&str, &str)]) -> Option<bool> {
        let with = |own: &[(&str, &str)]| {
            let all = own.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            all.collect::<Vec<_>>()
        };
        Some(match self {
            Self::Models(_) => {
                let server = start(&with(&[("OPENAI_BASE_URL", url)])).await;
                let app = with_model(&server, "openai", "llama3").await;
                blocking(&owner(&server).await, &app, model_endpoint::body()).await.status == 200
            }
            Self::Dify(_) => {
                let variables = with(&[("DIFY_API_URL", url)]);
                let dify = Dify::start_with(&borrowed(&variables)).await?;
                let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
                blocking(&alice, CHAT, json!({"inputs": {}, "query": "Hello"})).await.status == 200
            }
            Self::Enterprise(service) => {
                let variables = [service.variables().to_vec(), vec![("ENTERPRISE_API_URL", url)]].concat();
                let server = start(&with(&variables)).await;
                let device = Device::start(&server, "laptop").await;
                let browser = crate::support::Browser::anonymous(&server);
                let request = browser.bare(Method::GET, &format!("{START}?user_code={}", device.user_code));
                Answer::to(request).await.header("location").starts_with("https://idp.example/")
            }
            Self::IdentityProvider(provider) => {
                if provider.issuer != url {
                    provider.move_to(url, url);
                }
                let server = start(&with(&provider.variables())).await;
                signs_in(&SsoServer { server, provider: provider.clone() }).await
            }
            Self::PluginDaemon(_) => {
                let variables = with(&[("PLUGIN_DAEMON_URL", url)]);
                let plugin = PluginServer::start_with(Stores::Sqlite, &borrowed(&variables)).await;
                let path = oauth_path("tool/authorization-url");
                Answer::to(plugin.member.request(Method::GET, &path)).await.status == 200
            }
            Self::Bucket(bucket) => {
                let variables = [bucket.variables(), vec![("S3_ENDPOINT", url)]].concat();
                let server = start(&with(&variables)).await;
                let app = uploads::app(&server).await;
                uploads::upload(&owner(&server).await, &app, "a.txt", b"contents").await.status == 201
            }
            Self::HttpNode(_) => {
                let server = start(&with(&[("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")])).await;
                let app = http_request_app(&server, url).await;
                let run = blocking(&owner(&server).await, &app, json!({"inputs": {"name": "Ann"}})).await;
                run.json()["data"]["status"] == "succeeded"
            }
            Self::Tokens(provider) => {
                let mut provider = provider.clone();
                url.clone_into(&mut provider.url);
                let variables = with(&[("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")]);
                let server = ConnectionServer::with_provider(Stores::Sqlite, provider, &borrowed(&variables)).await;
                server.set_client().await;
                let mut member = server.browser(MEMBER).await;
                let request = member.start("").await;
                let location = member.follow(&member.consent(&request)).await;
                location.ends_with("/oauth-callback")
            }
        })
    }
}

type Variables = Vec<(String, String)>;

fn borrowed(variables: &Variables) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (&**name, &**value)).collect()
}

async fn start(variables: &Variables) -> TestServer {
    TestServer::start_with(Stores::Sqlite, &borrowed(variables)).await
}

async fn owner(server: &TestServer) -> Bearer {
    Bearer::sign_in(server, OWNER, "laptop").await
}

/// Whether a person can sign in at the identity provider.
pub(super) async fn signs_in(sso: &SsoServer) -> bool {
    let device = Device::start(sso, "laptop").await;
    let mut browser = sso.browser();
    let started = browser.get(&format!("{START}?user_code={}", device.user_code)).await;
    if !started.header("location").contains("client_id=") {
        return false;
    }
    let request = started.header("location").parse().unwrap();
    browser.complete(&request, ANN).await.header("location") == "/device?sso_verified=1"
}
