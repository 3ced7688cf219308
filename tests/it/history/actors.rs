//! The actors of the workload: people with browsers, devices with codes, and holders of tokens.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{
    deployment::Deployment,
    record::{GrantCall, GrantEvent, GrantReply, Span, Token, TokenCall, TokenEvent, TokenReply},
    requests::{ACCOUNT, APPROVE, DENY, INTROSPECT, LOOKUP, REVOKE, SESSIONS, grant_reply, token_reply},
};
use crate::support::{
    Answer,
    cli_device::{CODE, TOKEN},
    server::SERVICE_KEY,
};

mod browser_session;

use self::browser_session::BrowserSession;

/// Device labels of an account. Two grants of one label share a line.
const LABELS: usize = 6;
/// Grants and tokens that are chosen from, the newest ones.
const RECENT_GRANTS: usize = 5;
const RECENT_TOKENS: usize = 8;

/// The codes of a grant.
#[derive(Clone)]
pub struct DeviceCodes {
    pub grant: usize,
    /// The account that decides it.
    account: usize,
    device_code: String,
    user_code: String,
}

pub struct Actor<'a> {
    deployment: &'a Deployment,
    account: usize,
    session: BrowserSession<'a>,
    random: StdRng,
    client: reqwest::Client,
}

impl<'a> Actor<'a> {
    pub fn new(
        deployment: &'a Deployment,
        nth: usize,
        account: usize,
        browser: crate::support::Browser,
        random: StdRng,
    ) -> Self {
        let session = BrowserSession::new(deployment, nth, account, browser);
        Self { deployment, account, session, random, client: reqwest::Client::new() }
    }

    /// Makes calls until the deployment stops.
    pub async fn work(&mut self) {
        while self.deployment.is_running() {
            self.make_call().await;
            tokio::time::sleep(std::time::Duration::from_millis(self.random.random_range(0..40))).await;
        }
    }

    async fn make_call(&mut self) {
        let (choice, replica) = (self.random.random_range(0..100), self.replica());
        match choice {
            0..8 => self.create(replica).await,
            8..22 => self.call_recent_grant(GrantCall::Approve, 0.15).await,
            22..25 => self.call_recent_grant(GrantCall::Deny, 0.0).await,
            25..53 => self.call_recent_grant(GrantCall::Poll, 0.25).await,
            53..56 => self.call_recent_grant(GrantCall::Lookup, 0.0).await,
            56..86 => self.call_recent_token(TokenCall::Use).await,
            86 => self.call_recent_token(TokenCall::RevokeSelf).await,
            87 => self.call_recent_token(TokenCall::RevokeToken).await,
            88..90 => self.call_recent_token(TokenCall::RevokeSession).await,
            _ => self.session.make_call(&mut self.random, replica).await,
        }
    }

    /// A replica that is up. Requests to a killed one would only be refused.
    fn replica(&mut self) -> usize {
        let replica = self.random.random_range(0..2);
        if self.deployment.is_up(replica) { replica } else { 0 }
    }

    fn at(&self, replica: usize, path: &str) -> String {
        self.deployment.replicas[replica].server.at(path)
    }

    async fn create(&mut self, replica: usize) {
        let label = self.random.random_range(0..LABELS);
        let body = json!({"client_id": "difyctl", "device_label": format!("device {label}")});
        let recorder = &self.deployment.recorder;
        let span = recorder.start();
        let Some(answer) = self.deployment.send(self.client.post(self.at(replica, CODE)).json(&body)).await else {
            return;
        };
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (span, codes, line) = (recorder.end(span), answer.json(), self.account * LABELS + label);
        let grant = recorder.change(|history| {
            let grant = history.lines.len();
            history.lines.push(line);
            let (call, reply) = (GrantCall::Create, GrantReply::Created);
            history.grants.push(GrantEvent { grant, call, reply, span });
            grant
        });
        let code = |name: &str| codes[name].as_str().unwrap().to_owned();
        let (device_code, user_code) = (code("device_code"), code("user_code"));
        self.deployment.grants.lock().push(DeviceCodes { grant, account: self.account, device_code, user_code });
    }

    /// Calls one of the account's newest grants; with a probability at both replicas at once.
    async fn call_recent_grant(&mut self, call: GrantCall, both: f64) {
        let grants = self.deployment.grants.lock().clone();
        let own: Vec<_> = grants.into_iter().filter(|codes| codes.account == self.account).collect();
        let Some(codes) = own[own.len().saturating_sub(RECENT_GRANTS)..].choose(&mut self.random) else { return };
        let replica = self.replica();
        if self.random.random_bool(both) && self.deployment.is_up(1) {
            tokio::join!(self.call_grant(codes, call, replica), self.call_grant(codes, call, 1 - replica));
        } else {
            self.call_grant(codes, call, replica).await;
        }
    }

    async fn call_grant(&self, codes: &DeviceCodes, call: GrantCall, replica: usize) {
        let (decision, device) = (json!({"user_code": codes.user_code}), &codes.device_code);
        let server = &self.deployment.replicas[replica].server;
        let request = match call {
            GrantCall::Approve => self.session.browser.at(server).request(Method::POST, APPROVE).json(&decision),
            GrantCall::Deny => self.session.browser.at(server).request(Method::POST, DENY).json(&decision),
            GrantCall::Lookup => self.client.get(self.at(replica, &format!("{LOOKUP}?user_code={}", codes.user_code))),
            GrantCall::Poll | GrantCall::Create => {
                self.client.post(self.at(replica, TOKEN)).json(&json!({"client_id": "difyctl", "device_code": device}))
            }
        };
        let recorder = &self.deployment.recorder;
        let span = recorder.start();
        let answer = self.deployment.send(request).await;
        let span = recorder.end(span);
        let reply = match &answer {
            None => GrantReply::Unknown,
            // The browser session or its CSRF token has ended or expired, so the decision had no effect.
            Some(answer) if answer.status == 401 || answer.code() == "csrf_mismatch" => return,
            Some(answer) if call == GrantCall::Poll && answer.status == 200 => self.add_token(codes.grant, answer),
            Some(answer) => grant_reply(call, answer),
        };
        recorder.change(|history| history.grants.push(GrantEvent { grant: codes.grant, call, reply, span }));
    }

    fn add_token(&self, grant: usize, answer: &Answer) -> GrantReply {
        let body = answer.json();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let expires_at = chrono::DateTime::parse_from_rfc3339(&text("expires_at")).unwrap().timestamp_millis();
        let token = Token { secret: text("token"), grant, session: text("token_id"), expires_at };
        self.deployment.recorder.change(|history| {
            history.tokens.push(token);
            GrantReply::Token(history.tokens.len() - 1)
        })
    }

    async fn call_recent_token(&mut self, call: TokenCall) {
        let count = self.deployment.recorder.change(|history| history.tokens.len());
        if count > 0 {
            let token = self.random.random_range(count.saturating_sub(RECENT_TOKENS)..count);
            let replica = self.replica();
            self.call_token(token, call, replica, false).await;
        }
    }

    /// Calls with a token. A final call is repeated until it has a definite outcome.
    pub async fn call_token(&mut self, token: usize, call: TokenCall, replica: usize, is_final: bool) {
        let (secret, bearer, path) = self.token_and_bearer(token, call);
        let server = &self.deployment.replicas[replica].server;
        let introspects = call == TokenCall::Use && self.random.random_bool(0.3);
        let request: RequestBuilder = match call {
            TokenCall::Use if introspects => {
                let request = self.client.post(server.inner(INTROSPECT)).json(&json!({"token": secret}));
                request.header("enterprise-api-secret-key", SERVICE_KEY)
            }
            TokenCall::Use => self.client.get(server.at(ACCOUNT)).bearer_auth(&secret),
            TokenCall::RevokeToken => self.client.post(server.at(REVOKE)).form(&[("token", &secret)]),
            TokenCall::RevokeSelf | TokenCall::RevokeSession => {
                self.client.delete(server.at(&path)).bearer_auth(self.secret(bearer))
            }
        };
        let recorder = &self.deployment.recorder;
        let span = recorder.start();
        let mut answer = self.deployment.send(request.try_clone().unwrap()).await;
        for _ in 0..20 {
            if !is_final || answer.is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            answer = self.deployment.send(request.try_clone().unwrap()).await;
        }
        let span = recorder.end(span);
        let reply = answer.as_ref().map_or(TokenReply::Unknown, |answer| token_reply(call, answer));
        assert!(!is_final || reply != TokenReply::Unknown, "the last call of a token has no outcome");
        self.record_token(token, bearer, call, reply, span, is_final);
    }

    /// The token's secret, the token that authenticates the call, and the path of a revocation. Another live-looking
    /// token of the account revokes a session by its id.
    fn token_and_bearer(&mut self, token: usize, call: TokenCall) -> (String, usize, String) {
        let history = self.deployment.recorder.snapshot_tokens();
        let target = &history[token];
        if call != TokenCall::RevokeSession {
            return (target.secret.clone(), token, format!("{SESSIONS}/self"));
        }
        let lines = self.deployment.recorder.change(|history| history.lines.clone());
        let account = |token: &Token| lines[token.grant] / LABELS;
        let first = history.len().saturating_sub(RECENT_TOKENS);
        let others: Vec<_> = (first..history.len()).filter(|nth| account(&history[*nth]) == account(target)).collect();
        let bearer = others.choose(&mut self.random).copied().unwrap_or(token);
        (target.secret.clone(), bearer, format!("{SESSIONS}/{}", target.session))
    }

    fn secret(&self, token: usize) -> String {
        self.deployment.recorder.change(|history| history.tokens[token].secret.clone())
    }

    fn record_token(
        &self,
        token: usize,
        bearer: usize,
        call: TokenCall,
        reply: TokenReply,
        span: Span,
        is_final: bool,
    ) {
        // A rejected bearer says nothing about the session that it would have revoked.
        let is_rejected = matches!(reply, TokenReply::Invalid | TokenReply::Expired);
        let (token, call) = if is_rejected { (bearer, TokenCall::Use) } else { (token, call) };
        self.deployment.recorder.change(|history| {
            history.token_events.push(TokenEvent { token, call, reply, span, is_final });
        });
    }
}
