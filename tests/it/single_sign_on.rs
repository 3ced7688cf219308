//! Single sign-on with the built-in OpenID Connect client.

mod accounts;
mod approval;
mod assertions;
mod callback;
mod community;
mod hosts;
mod outcome;
mod start;
mod traces;

use std::ops::Deref;

use dify_openapi::testing::ports::{Clock as _, SystemClock};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::support::{
    Answer, Browser, Device, OpenIdProvider, Stores, TestServer, database,
    openid_provider::parameter,
    server::{MEMBER, OWNER, SECRET_KEY},
};

pub(crate) const START: &str = "/openapi/v1/oauth/device/sso-initiate";
pub(crate) const COMPLETE: &str = "/openapi/v1/oauth/device/sso-complete";
pub(crate) const CONTEXT: &str = "/openapi/v1/oauth/device/approval-context";
pub(crate) const APPROVE: &str = "/openapi/v1/oauth/device/approve-external";
pub(crate) const DENY: &str = "/openapi/v1/oauth/device/deny";
/// An external identity.
pub(crate) const ANN: &str = "ann@partner.example";
/// The name of the approval cookie.
pub(crate) const GRANT: &str = "device_approval_grant";

/// A server of the Enterprise edition, and its identity provider.
pub(crate) struct SsoServer {
    pub(crate) server: TestServer,
    pub(crate) provider: OpenIdProvider,
}

impl Deref for SsoServer {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl SsoServer {
    pub(crate) async fn start(stores: Stores) -> Self {
        Self::start_with(stores, &[]).await
    }

    pub(crate) async fn start_with(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let provider = OpenIdProvider::start().await;
        let variables: Vec<_> = provider.variables().into_iter().chain(variables.iter().copied()).collect();
        let server = TestServer::start_with(stores, &variables).await;
        Self { server, provider }
    }

    pub(crate) fn browser(&self) -> SsoBrowser<'_> {
        SsoBrowser { sso: self, browser: Browser::anonymous(&self.server) }
    }
}

/// A browser that signs in at the identity provider.
pub(crate) struct SsoBrowser<'a> {
    sso: &'a SsoServer,
    pub(crate) browser: Browser,
}

impl SsoBrowser<'_> {
    /// Sends a GET with the cookies and keeps those of the response.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let answer = Answer::to(self.browser.bare(Method::GET, path)).await;
        self.browser.take_cookies(&answer.headers);
        // A cookie that is cleared is gone.
        self.browser.cookies.retain(|_, value| !value.is_empty());
        answer
    }

    /// Starts the sign-in for a device. Returns the URL of the authorization request.
    pub(crate) async fn start(&mut self, user_code: &str) -> Url {
        let answer = self.get(&format!("{START}?user_code={user_code}")).await;
        assert_eq!(answer.status, 302, "{}", answer.text);
        answer.header("location").parse().unwrap()
    }

    /// Returns from the provider as the person with this email address.
    pub(crate) async fn complete(&mut self, request: &Url, email: &str) -> Answer {
        self.complete_with(request, |claims| claims["email"] = json!(email)).await
    }

    /// Returns from the provider with changed claims of `ANN`.
    pub(crate) async fn complete_with(&mut self, request: &Url, change: impl FnOnce(&mut Value)) -> Answer {
        let path = self.callback(request, change);
        self.get(&path).await
    }

    /// The path of the callback with changed claims of `ANN`.
    pub(crate) fn callback(&self, request: &Url, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = self.sso.provider.claims(&self.sso.server, ANN, request);
        change(&mut claims);
        let code = self.sso.provider.issue_code(claims, request);
        format!("{COMPLETE}?code={code}&state={}", parameter(request, "state"))
    }

    /// Signs in as `ANN` for a device. The browser then has the approval cookie.
    pub(crate) async fn sign_in(&mut self, user_code: &str) {
        let request = self.start(user_code).await;
        let answer = self.complete(&request, ANN).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/device?sso_verified=1"), "{}", answer.text);
    }

    /// The CSRF token of the approval.
    pub(crate) async fn csrf_token(&mut self) -> String {
        self.get(CONTEXT).await.json()["csrf_token"].as_str().unwrap().to_owned()
    }

    /// Posts a decision with the cookies and the CSRF token.
    pub(crate) async fn decide(&mut self, path: &str, user_code: &str) -> Answer {
        let csrf_token = self.csrf_token().await;
        self.decide_with(path, user_code, &csrf_token).await
    }

    pub(crate) async fn decide_with(&self, path: &str, user_code: &str, csrf_token: &str) -> Answer {
        let request = self.browser.bare(Method::POST, path).header("x-csrf-token", csrf_token);
        Answer::to(request.json(&json!({"user_code": user_code}))).await
    }
}

/// The code of an error of a cookie route, which is in two members.
fn error_code(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    assert_eq!(body["code"], body["error"], "{}", answer.text);
    answer.outcome()
}

/// The time of the system in seconds since the epoch.
fn now() -> i64 {
    SystemClock.now().timestamp()
}
