//! Connections to third-party services, with a stand-in for the provider.

mod authorization;
mod cache;
mod commands;
mod crashes;
mod credentials;
mod current;
mod pages;
pub(crate) mod plugin_daemon;
mod providers;
mod races;
mod refusals;
mod runs;
mod tools;
mod traces;

use std::ops::{Deref, DerefMut};

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    Answer, Browser, Stores, TestServer,
    openid_provider::parameter,
    server::{MEMBER, OWNER, SERVICE_KEY, no_limits},
    token_provider::{CLIENT_ID, CLIENT_SECRET, Fault, TokenProvider},
};

/// The key under which the stand-in is imported.
pub(crate) const PROVIDER: &str = "acme/tools/stand-in";

pub(crate) fn oauth_path(path: &str) -> String {
    format!("/console/api/oauth/plugin/{PROVIDER}/{path}")
}

pub(crate) fn provider_path(path: &str) -> String {
    format!("/console/api/workspaces/current/tool-provider/builtin/{PROVIDER}/{path}")
}

/// A server that knows the stand-in.
pub(crate) struct ConnectionServer {
    server: TestServer,
    pub(crate) provider: TokenProvider,
}

impl Deref for ConnectionServer {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl ConnectionServer {
    /// Without an OAuth client.
    pub(crate) async fn bare(stores: Stores) -> Self {
        Self::bare_with(stores, &[]).await
    }

    /// Like `bare`, with variables of the server.
    async fn bare_with(stores: Stores, variables: &[(&str, &str)]) -> Self {
        Self::with_provider(stores, TokenProvider::start().await, variables).await
    }

    /// Like `bare_with`, with a provider that has started.
    pub(crate) async fn with_provider(stores: Stores, provider: TokenProvider, variables: &[(&str, &str)]) -> Self {
        let limits = no_limits();
        let own = [("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8"), ("OPENAPI_RATE_LIMITS", limits.as_str())];
        let variables = [own.as_slice(), variables].concat();
        let server = TestServer::start_with(stores, &variables).await;
        let imported =
            server.command(&["connection", "provider", "import", "-", "--key", PROVIDER], &provider.manifest());
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        Self { server, provider }
    }

    /// With an OAuth client of the workspace.
    pub(crate) async fn start(stores: Stores) -> Self {
        let server = Self::bare(stores).await;
        server.set_client().await;
        server
    }

    /// Stores the OAuth client of the workspace.
    pub(crate) async fn set_client(&self) {
        let admin = Browser::signed_in(self, OWNER).await;
        let client = json!({"client_params": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}});
        let (status, body) = admin.post(&provider_path("oauth/custom-client"), &client).await;
        assert_eq!((status, body["result"].as_str()), (200, Some("success")), "{body}");
    }

    pub(crate) async fn browser(&self, email: &str) -> Person {
        Person { browser: Browser::signed_in(self, email).await, provider: self.provider.clone() }
    }

    /// Calls a method for internal services.
    pub(crate) async fn service(&self, path: &str, body: &Value) -> Answer {
        call_service(&self.server, path, body).await
    }

    /// The workspace of both accounts.
    pub(crate) async fn workspace(&self) -> String {
        let (_, body) = Browser::signed_in(self, MEMBER).await.get("/console/api/workspaces").await;
        body["workspaces"][0]["id"].as_str().unwrap().to_owned()
    }
}

pub(crate) async fn call_service(server: &TestServer, path: &str, body: &Value) -> Answer {
    call_service_with(&reqwest::Client::new(), server, path, body).await
}

/// Like `call_service`, with a client of many calls: a new one takes a while to read the certificates.
async fn call_service_with(client: &reqwest::Client, server: &TestServer, path: &str, body: &Value) -> Answer {
    let url = server.inner(&format!("/inner/api/connections/{path}"));
    Answer::to(client.post(url).header("enterprise-api-secret-key", SERVICE_KEY).json(body)).await
}

/// A person with a browser.
pub(crate) struct Person {
    pub(crate) browser: Browser,
    pub(crate) provider: TokenProvider,
}

impl Deref for Person {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

impl DerefMut for Person {
    fn deref_mut(&mut self) -> &mut Browser {
        &mut self.browser
    }
}

impl Person {
    /// Begins an authorization, and returns the provider's page.
    pub(crate) async fn start(&mut self, query: &str) -> Url {
        let path = oauth_path(&format!("tool/authorization-url{query}"));
        let answer = Answer::to(self.request(Method::GET, &path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.take_cookies(&answer.headers);
        answer.json()["authorization_url"].as_str().unwrap().parse().unwrap()
    }

    /// The callback's path after a consent.
    pub(crate) fn consent(&self, request: &Url) -> String {
        let (code, state) = (self.provider.issue_code(request), parameter(request, "state"));
        oauth_path(&format!("tool/callback?code={code}&state={state}"))
    }

    /// Follows the provider's redirect, and returns the address of the result.
    pub(crate) async fn follow(&self, callback: &str) -> String {
        let answer = Answer::to(self.bare(Method::GET, callback)).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        answer.header("location").to_owned()
    }

    pub(crate) async fn connect(&mut self) -> String {
        let before = self.credentials().await;
        let request = self.start("").await;
        let location = self.follow(&self.consent(&request)).await;
        assert!(location.ends_with("/oauth-callback"), "{location}");
        self.added_since(&before).await
    }

    /// The id of the connection that was added. Connections of one second are in no order.
    pub(crate) async fn added_since(&self, before: &[Value]) -> String {
        let credentials = self.credentials().await;
        let added = credentials.iter().find(|one| before.iter().all(|old| old["id"] != one["id"]));
        added.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn credentials(&self) -> Vec<Value> {
        let (status, body) = self.get(&provider_path("credentials")).await;
        assert_eq!(status, 200, "{body}");
        body["credentials"].as_array().unwrap().clone()
    }
}

/// The error word in the address of the result.
fn error_of(location: &str) -> String {
    parameter(&location.parse().unwrap(), "error")
}
