//! The requests of people, devices and services, and their outcomes.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tonic_types::StatusExt as _;

use super::{Deployment, RESPONSE_LIMIT};
use crate::support::{
    Answer,
    cli_device::{CODE, TOKEN},
    grpc::{Clients, channel, reason, with_bearer},
    server::{OWNER, PASSWORD, SERVICE_KEY},
};

pub const ACCOUNT: &str = "/openapi/v1/account";
pub const SESSIONS: &str = "/openapi/v1/account/sessions";
pub const WORKSPACES: &str = "/openapi/v1/workspaces";
pub const APPROVE: &str = "/openapi/v1/oauth/device/approve";
pub const DENY: &str = "/openapi/v1/oauth/device/deny";
pub const LOOKUP: &str = "/openapi/v1/oauth/device/lookup";
pub const REVOKE: &str = "/openapi/v1/oauth/revoke";
pub const INTROSPECT: &str = "/openapi/v1/oauth/introspect";
pub const PROFILE: &str = "/console/api/account/profile";

/// The outcome of a request.
#[derive(Debug)]
pub struct Outcome {
    pub what: &'static str,
    /// Status and code; for introspection, status and whether the token is active.
    pub code: String,
    pub answer: Answer,
}

type OutcomeFuture<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// Sends a request and checks what holds for every response during an outage.
pub async fn outcome(what: &'static str, request: RequestBuilder) -> Outcome {
    let began = Instant::now();
    let answer = tokio::time::timeout(RESPONSE_LIMIT, Answer::to(request)).await;
    let answer = answer.unwrap_or_else(|_| panic!("{what} hangs"));
    let took = began.elapsed();
    assert!(took < RESPONSE_LIMIT, "{what} took {took:?}");
    assert!(answer.status != 500, "{what}: {}", answer.text);
    if answer.status == 503 {
        let body = answer.json();
        assert_eq!(body["code"], "service_unavailable", "{what}: {body}");
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds >= 1), "{what}");
        if what == "code" || what.starts_with("poll") {
            assert_eq!(body["error"], "temporarily_unavailable", "{what}: {body}");
        }
    }
    let (status, code) = answer.outcome();
    let active = answer.json()["active"].as_bool();
    let code = match active {
        Some(active) => format!("{status} active {active}"),
        None => format!("{status} {code}"),
    };
    Outcome { what, code, answer }
}

impl Deployment {
    pub fn introspection(&self, token: &str) -> RequestBuilder {
        let request = reqwest::Client::new().post(self.server.inner(INTROSPECT));
        request.header("enterprise-api-secret-key", SERVICE_KEY).json(&json!({"token": token}))
    }

    pub fn public(&self, path: &str, body: &serde_json::Value) -> RequestBuilder {
        reqwest::Client::new().post(self.server.at(path)).json(body)
    }

    pub fn login(&self) -> RequestBuilder {
        let body = json!({"email": OWNER, "password": STANDARD.encode(PASSWORD), "remember_me": true});
        self.public("/console/api/login", &body)
    }

    /// Every kind of request, once.
    pub fn all_requests(&self) -> Vec<OutcomeFuture<'_>> {
        let poll = |device: &crate::support::Device| {
            self.public(TOKEN, &json!({"client_id": "difyctl", "device_code": device.device_code}))
        };
        let decide = |path, device: &crate::support::Device| {
            self.browser.request(Method::POST, path).json(&json!({"user_code": device.user_code}))
        };
        let lookup = format!("{LOOKUP}?user_code={}", self.pending.user_code);
        let revoked_path = format!("{SESSIONS}/{}", self.revoked_by_owner.token_id);
        let unknown = reqwest::Client::new().get(self.server.at(ACCOUNT)).bearer_auth(format!("dfoa_{:043}", 7));
        let requests = [
            ("health", reqwest::Client::new().get(self.server.at("/openapi/v1/_health"))),
            ("account", self.warm.request(Method::GET, ACCOUNT)),
            ("sessions", self.warm.request(Method::GET, SESSIONS)),
            ("workspaces", self.warm.request(Method::GET, WORKSPACES)),
            ("account, cold", self.cold.request(Method::GET, ACCOUNT)),
            ("account, revoked", self.revoked.request(Method::GET, ACCOUNT)),
            ("account, unknown", unknown),
            ("introspect", self.introspection(&self.warm.token)),
            ("introspect, revoked", self.introspection(&self.revoked.token)),
            ("code", self.public(CODE, &json!({"client_id": "difyctl", "device_label": "another"}))),
            ("poll, pending", poll(&self.pending)),
            ("poll, approved", poll(&self.approved)),
            ("lookup", reqwest::Client::new().get(self.server.at(&lookup))),
            ("approve", decide(APPROVE, &self.to_approve)),
            ("deny", decide(DENY, &self.to_deny)),
            ("revoke", self.warm.request(Method::DELETE, &revoked_path)),
            ("revoke, by its holder", self.public(REVOKE, &json!({"token": self.revoked_by_holder.token}))),
            ("profile", self.browser.request(Method::GET, PROFILE)),
            ("login", self.login()),
        ];
        let outcomes =
            requests.into_iter().map(|(what, request)| Box::pin(outcome(what, request)) as OutcomeFuture<'_>);
        outcomes.chain([Box::pin(self.account_over_grpc()) as OutcomeFuture<'_>]).collect()
    }

    /// Requests that must work after the recovery and can be repeated.
    pub fn read_requests(&self) -> Vec<OutcomeFuture<'_>> {
        let requests = [
            ("account", self.warm.request(Method::GET, ACCOUNT)),
            ("sessions", self.warm.request(Method::GET, SESSIONS)),
            ("workspaces", self.warm.request(Method::GET, WORKSPACES)),
            ("code", self.public(CODE, &json!({"client_id": "difyctl"}))),
            ("profile", self.browser.request(Method::GET, PROFILE)),
            ("login", self.login()),
        ];
        let outcomes =
            requests.into_iter().map(|(what, request)| Box::pin(outcome(what, request)) as OutcomeFuture<'_>);
        outcomes.chain([Box::pin(self.account_over_grpc()) as OutcomeFuture<'_>]).collect()
    }

    /// Reads the account over gRPC.
    async fn account_over_grpc(&self) -> Outcome {
        let mut clients = Clients::on(channel(&self.server).await);
        let request = clients
            .identity
            .get_account(with_bearer(dify_openapi::testing::rpc::proto::GetAccountRequest {}, &self.warm.token));
        let answer = tokio::time::timeout(RESPONSE_LIMIT, request).await.unwrap_or_else(|_| panic!("gRPC hangs"));
        let code = match answer {
            Ok(_) => "200 ok".to_owned(),
            Err(status) => {
                assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
                let again = status.get_details_retry_info().and_then(|info| info.retry_delay);
                assert!(again.is_some_and(|delay| delay >= Duration::from_secs(1)), "{status:?}");
                format!("503 {}", reason(&status))
            }
        };
        Outcome { what: "account, gRPC", code, answer: Answer::default() }
    }
}
