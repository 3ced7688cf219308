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
    exchanges: u64,
    refreshes: u64,
    rejected: u64,
    revoked: Vec<String>,
    fault: Fault,
    delay: Duration,
    gate: Arc<Gate>,
}

/// Holds requests back while it is closed.
struct Gate {
    is_open: watch::Sender<bool>,
    /// A permit for each request that has arrived while it was closed.
    arrived: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self { is_open: watch::Sender::new(true), arrived: Semaphore::new(0) }
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
        self.provider.lock().codes.insert(code.clone(), challenge);
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
        self.gate().is_open.send_replace(false);
    }

    /// Waits for a request that is held back.
    pub async fn wait_for_request(&self) {
        self.gate().arrived.acquire().await.unwrap().forget();
    }

    pub fn release(&self) {
        self.gate().is_open.send_replace(true);
    }

    fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.provider.lock().gate)
    }

    /// Forgets all refresh tokens.
    pub fn revoke_all(&self) {
        self.provider.lock().refresh_tokens.clear();
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

    /// The tokens that were revoked.
    pub fn revoked(&self) -> Vec<String> {
        self.provider.lock().revoked.clone()
    }
}

async fn token(State(provider): State<Arc<Mutex<Provider>>>, body: Bytes) -> Response {
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let (fault, delay, gate) = {
        let provider = provider.lock();
        (provider.fault.clone(), provider.delay, Arc::clone(&provider.gate))
    };
    tokio::time::sleep(delay).await;
    if !*gate.is_open.borrow() {
        gate.arrived.add_permits(1);
        gate.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
    }
    match fault {
        Fault::Down => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Fault::Html => return "<html>Sign in</html>".into_response(),
        Fault::Huge => return format!("{{\"access_token\": \"{}\"}}", "a".repeat(10 << 20)).into_response(),
        Fault::Silent => return std::future::pending().await,
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
    let expires_in = if let Fault::ExpiresIn(value) = fault { value } else { json!(3_600) };
    Json(json!({
        "access_token": format!("access-{number}-{}", uuid::Uuid::new_v4()),
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": expires_in,
    }))
    .into_response()
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
