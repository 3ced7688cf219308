//! A stand-in for a third-party service with OAuth 2.0: it authorizes without pages, rotates refresh tokens, and can be
//! made to answer with faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use url::Url;

use super::server::install_crypto;

/// What the token endpoint does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    /// Status 503.
    Down,
    /// A page instead of JSON.
    Html,
    /// 10 MB of JSON.
    Huge,
    /// No answer within the time limit of the service.
    Silent,
    /// A byte from time to time, and no end of the answer within the time limit of the service.
    Slow,
    /// This `expires_in`.
    ExpiresIn(Value),
    /// This error of RFC 6749.
    Error(&'static str),
    /// A redirect to this address.
    Redirect(String),
}

#[derive(Default)]
struct Provider {
    /// The challenge of each code.
    codes: BTreeMap<String, String>,
    refresh_tokens: BTreeSet<String>,
    issued: u64,
    requests: u64,
    exchanges: u64,
    refreshes: u64,
    rejected: u64,
    revoked: Vec<String>,
    /// Every code, code verifier and token.
    secrets: Vec<String>,
    fault: Fault,
    delay: Duration,
    gate: Arc<Gate>,
}

/// What the provider holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Nothing,
    /// Requests, before they are processed.
    Requests,
    /// Requests for a refresh, before they are processed.
    Refreshes,
    /// The answers to requests that were processed.
    Answers,
}

/// Holds requests and answers back.
struct Gate {
    held: watch::Sender<Held>,
    /// A permit for each request or answer that was held back.
    arrived: Semaphore,
    /// A permit for each one whose client has closed the connection meanwhile.
    abandoned: Semaphore,
    /// A permit for each answer that was sent.
    answered: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        let [arrived, abandoned, answered] = std::array::from_fn(|_| Semaphore::new(0));
        Self { held: watch::Sender::default(), arrived, abandoned, answered }
    }
}

impl Gate {
    /// Waits until a request or an answer is not held back.
    async fn pass(self: &Arc<Self>, is_held: impl Fn(Held) -> bool) {
        if is_held(*self.held.borrow()) {
            let mut waiting = Waiting(Some(Arc::clone(self)));
            self.arrived.add_permits(1);
            self.held.subscribe().wait_for(|held| !is_held(*held)).await.unwrap();
            waiting.0 = None;
        }
    }
}

/// A request or an answer that is held back. It is dropped when its client closes the connection.
struct Waiting(Option<Arc<Gate>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(gate) = &self.0 {
            gate.abandoned.add_permits(1);
        }
    }
}

/// A provider on a free port.
#[derive(Clone)]
pub struct TokenProvider {
    pub url: String,
    provider: Arc<Mutex<Provider>>,
}

impl TokenProvider {
    pub async fn start() -> Self {
        install_crypto();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Arc::new(Mutex::new(Provider::default()));
        let router =
            Router::new().route("/token", post(token)).route("/revoke", post(revoke)).with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, provider }
    }

    /// The manifest of this provider, as a plugin would ship it.
    pub fn manifest(&self) -> String {
        let url = &self.url;
        format!(
            "identity:
  name: stand-in
  label: {{en_US: Stand-in, zh_Hans: 替身}}
credentials_for_provider:
  api_key: {{type: secret-input, required: true, label: {{en_US: API key}}}}
oauth_schema:
  client_schema:
    - {{name: client_id, type: text-input, required: true}}
    - {{name: client_secret, type: secret-input, required: true}}
  credentials_schema:
    - {{name: access_token, type: secret-input}}
    - {{name: refresh_token, type: secret-input}}
oauth:
  authorization_url: {url}/auth
  token_url: {url}/token
  revocation_url: {url}/revoke
  scopes: [read, write]
"
        )
    }

    /// A code for an authorization request, as if a person had consented.
    pub fn issue_code(&self, request: &Url) -> String {
        let challenge = request.query_pairs().find(|(name, _)| name == "code_challenge").unwrap().1.into_owned();
        let code = uuid::Uuid::new_v4().to_string();
        let mut provider = self.provider.lock();
        provider.secrets.push(code.clone());
        provider.codes.insert(code.clone(), challenge);
        code
    }

    pub fn set_fault(&self, fault: Fault) {
        self.provider.lock().fault = fault;
    }

    /// Answers after this time.
    pub fn set_delay(&self, delay: Duration) {
        self.provider.lock().delay = delay;
    }

    /// Holds requests back until `release`.
    pub fn hold(&self) {
        self.gate().held.send_replace(Held::Requests);
    }

    /// Holds requests for a refresh back until `release`.
    pub fn hold_refreshes(&self) {
        self.gate().held.send_replace(Held::Refreshes);
    }

    /// Holds answers back until `release`.
    pub fn hold_answers(&self) {
        self.gate().held.send_replace(Held::Answers);
    }

    /// Waits for a request or an answer that is held back.
    pub async fn wait_for_request(&self) {
        self.gate().arrived.acquire().await.unwrap().forget();
    }

    /// Waits until the client of a request that is held back has closed its connection.
    pub async fn wait_until_abandoned(&self) {
        self.gate().abandoned.acquire().await.unwrap().forget();
    }

    /// Waits for an answer that was sent since `forget_answers`.
    pub async fn wait_for_answer(&self) {
        self.gate().answered.acquire().await.unwrap().forget();
    }

    pub fn forget_answers(&self) {
        self.gate().answered.forget_permits(usize::MAX);
    }

    pub fn release(&self) {
        self.gate().held.send_replace(Held::Nothing);
    }

    fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.provider.lock().gate)
    }

    /// Forgets all refresh tokens.
    pub fn revoke_all(&self) {
        self.provider.lock().refresh_tokens.clear();
    }

    /// Requests to the token endpoint, also those that were answered with a fault.
    pub fn requests(&self) -> u64 {
        self.provider.lock().requests
    }

    pub fn exchanges(&self) -> u64 {
        self.provider.lock().exchanges
    }

    /// Refreshes that were requested.
    pub fn refreshes(&self) -> u64 {
        self.provider.lock().refreshes
    }

    /// Requests with an unknown or used refresh token.
    pub fn rejected(&self) -> u64 {
        self.provider.lock().rejected
    }

    /// Every code, code verifier and token of this provider.
    pub fn secrets(&self) -> Vec<String> {
        self.provider.lock().secrets.clone()
    }

    /// The refresh tokens that are valid.
    pub fn refresh_tokens(&self) -> Vec<String> {
        self.provider.lock().refresh_tokens.iter().cloned().collect()
    }

    /// The tokens that were revoked.
    pub fn revoked(&self) -> Vec<String> {
        self.provider.lock().revoked.clone()
    }
}

async fn token(State(provider): State<Arc<Mutex<Provider>>>, body: Bytes) -> Response {
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let (fault, delay, gate) = {
        let mut provider = provider.lock();
        provider.requests += 1;
        (provider.fault.clone(), provider.delay, Arc::clone(&provider.gate))
    };
    tokio::time::sleep(delay).await;
    let is_refresh = form["grant_type"] == "refresh_token";
    gate.pass(|held| held == Held::Requests || (held == Held::Refreshes && is_refresh)).await;
    let answer = process(&provider, &form, fault).await;
    gate.pass(|held| held == Held::Answers).await;
    let (parts, body) = answer.into_parts();
    let sent = stream::once(async move {
        gate.answered.add_permits(1);
        Ok(Bytes::new())
    });
    Response::from_parts(parts, Body::from_stream(body.into_data_stream().chain(sent)))
}

/// Answers a request for tokens.
async fn process(provider: &Mutex<Provider>, form: &BTreeMap<String, String>, fault: Fault) -> Response {
    match fault {
        Fault::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Html => return "<html>Sign in</html>".into_response(),
        Fault::Huge => return format!("{{\"access_token\": \"{}\"}}", "a".repeat(10 << 20)).into_response(),
        Fault::Silent => return std::future::pending().await,
        Fault::Slow => return slow(),
        Fault::Error(error) => {
            return (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response();
        }
        Fault::Redirect(target) => {
            let response = Response::builder().status(307).header("location", target).body(Body::empty());
            return response.unwrap();
        }
        Fault::None | Fault::ExpiresIn(_) => {}
    }
    let mut provider = provider.lock();
    let accepted = if form["grant_type"] == "authorization_code" {
        provider.exchanges += 1;
        provider.secrets.push(form["code_verifier"].clone());
        provider.codes.remove(&form["code"]).is_some_and(|challenge| challenge == s256(&form["code_verifier"]))
    } else {
        provider.refreshes += 1;
        provider.refresh_tokens.remove(&form["refresh_token"])
    };
    if form.get("client_secret").map(String::as_str) != Some(CLIENT_SECRET) {
        return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"}))).into_response();
    }
    if !accepted {
        provider.rejected += 1;
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    provider.issued += 1;
    let number = provider.issued;
    let refresh_token = format!("refresh-{number}-{}", uuid::Uuid::new_v4());
    provider.refresh_tokens.insert(refresh_token.clone());
    let access_token = format!("access-{number}-{}", uuid::Uuid::new_v4());
    provider.secrets.extend([access_token.clone(), refresh_token.clone()]);
    let expires_in = if let Fault::ExpiresIn(value) = fault { value } else { json!(3_600) };
    Json(json!({
        "access_token": access_token,
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
    }))
    .into_response()
}

/// Two bytes a second.
fn slow() -> Response {
    let bytes = stream::unfold((), async |()| {
        tokio::time::sleep(Duration::from_millis(500)).await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b" ")), ()))
    });
    Body::from_stream(bytes).into_response()
}

async fn revoke(State(provider): State<Arc<Mutex<Provider>>>, body: Bytes) -> StatusCode {
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let mut provider = provider.lock();
    provider.refresh_tokens.remove(&form["token"]);
    provider.revoked.push(form["token"].clone());
    StatusCode::OK
}

pub const CLIENT_ID: &str = "client-of-the-tests";
pub const CLIENT_SECRET: &str = "client-secret-of-the-tests";

/// RFC 7636 section 4.2.
fn s256(verifier: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest as _, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}
