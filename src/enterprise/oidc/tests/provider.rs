//! The stand-in provider.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{ManualClock, NONCE};
use crate::{
    domain::secret::Secret,
    enterprise::oidc::{OidcClient, OidcSettings, ProviderHttp},
    http_client::HttpClients,
};

pub(super) const CLIENT_ID: &str = "dify & co";
pub(super) const CLIENT_SECRET: &str = "a client's secret: +%/";

/// What precedes the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410 section 7).
const ED25519_HEADER: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// A signing key of a provider.
pub(super) struct TestKey {
    header: Header,
    key: EncodingKey,
    /// The public key as a member of a key set.
    public: Value,
}

impl TestKey {
    pub(super) fn new(id: &str, algorithm: Algorithm) -> Self {
        let key = if algorithm == Algorithm::EdDSA {
            EncodingKey::from_ed_der(&[ED25519_HEADER, &rand::random::<[u8; 32]>()].concat())
        } else {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            EncodingKey::from_ec_der(&pair.serialize_der())
        };
        let mut public = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        public["kid"] = json!(id);
        let mut header = Header::new(algorithm);
        header.kid = Some(id.to_owned());
        Self { header, key, public }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        encode(&self.header, claims, &self.key).unwrap()
    }
}

/// A token without a signature.
pub(super) fn unsigned(header: &Value, claims: &Value) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", encoded(header), encoded(claims))
}

/// A token under a shared secret.
pub(super) fn hs256(id: &str, claims: &Value, secret: &[u8]) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(id.to_owned());
    encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// What the provider answers.
pub(super) struct Answers {
    pub(super) metadata: Value,
    pub(super) keys: Vec<Value>,
    /// Status and body in place of the key set.
    pub(super) jwks_answer: Option<(u16, String)>,
    /// The claims of the ID token.
    pub(super) claims: Value,
    /// An ID token in place of a signed one.
    pub(super) id_token: Option<String>,
    pub(super) user_info: Value,
    pub(super) rejects_code: bool,
    /// Every endpoint answers 500.
    pub(super) is_down: bool,
    key: TestKey,
    jwks_requests: usize,
    token_form: BTreeMap<String, String>,
}

type Shared = Arc<Mutex<Answers>>;

/// A provider on a free port.
pub(super) struct TestProvider {
    pub(super) issuer: String,
    pub(super) clock: ManualClock,
    answers: Shared,
}

impl TestProvider {
    pub(super) async fn start() -> Self {
        Self::start_with(TestKey::new("k1", Algorithm::ES256)).await
    }

    pub(super) async fn start_with(key: TestKey) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let clock = ManualClock(Arc::new(Mutex::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap())));
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "userinfo_endpoint": format!("{issuer}/me"),
            "jwks_uri": format!("{issuer}/jwks"),
            "code_challenge_methods_supported": ["S256"],
        });
        let answers = Answers {
            metadata,
            keys: vec![key.public.clone()],
            jwks_answer: None,
            claims: claims(&issuer, &clock),
            id_token: None,
            user_info: Value::Null,
            rejects_code: false,
            is_down: false,
            key,
            jwks_requests: 0,
            token_form: BTreeMap::new(),
        };
        let answers = Arc::new(Mutex::new(answers));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata_of))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/me", get(user_info))
            .with_state(Arc::clone(&answers));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, clock, answers }
    }

    pub(super) fn client(&self, change: impl FnOnce(&mut OidcSettings)) -> OidcClient {
        let mut settings = OidcSettings {
            issuer: self.issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            scopes: "openid email profile".to_owned(),
            name: None,
            allowed_domains: Vec::new(),
            redirect_uri: "https://dify.example/callback".to_owned(),
        };
        change(&mut settings);
        let http = ProviderHttp::new(&HttpClients::default(), &settings.issuer, Arc::default()).unwrap();
        OidcClient::new(http, Arc::new(self.clock.clone()), settings)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock());
    }

    /// Claims of a valid ID token.
    pub(super) fn claims(&self) -> Value {
        claims(&self.issuer, &self.clock)
    }

    /// Signs with another key from now on.
    pub(super) fn rotate(&self, key: TestKey) {
        self.change(|answers| {
            answers.keys = vec![key.public.clone()];
            answers.key = key;
        });
    }

    pub(super) fn public_key(&self) -> String {
        self.answers.lock().keys[0].to_string()
    }

    pub(super) fn jwks_requests(&self) -> usize {
        self.answers.lock().jwks_requests
    }

    /// The form of the last request to the token endpoint.
    pub(super) fn token_form(&self) -> BTreeMap<String, String> {
        self.answers.lock().token_form.clone()
    }
}

fn claims(issuer: &str, clock: &ManualClock) -> Value {
    let now = clock.now().timestamp();
    json!({
        "iss": issuer, "sub": "1", "aud": CLIENT_ID, "exp": now + 300, "iat": now, "nonce": NONCE,
        "email": "ann@partner.example", "email_verified": true,
    })
}

/// JSON, or 500 while the provider is down.
fn answer(answers: &Answers, value: &Value) -> Response {
    if answers.is_down { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { value.to_string().into_response() }
}

async fn metadata_of(State(answers): State<Shared>) -> Response {
    let answers = answers.lock();
    answer(&answers, &answers.metadata)
}

async fn jwks(State(answers): State<Shared>) -> Response {
    let mut answers = answers.lock();
    answers.jwks_requests += 1;
    match &answers.jwks_answer {
        Some((status, body)) => (StatusCode::from_u16(*status).unwrap(), body.clone()).into_response(),
        None => answer(&answers, &json!({"keys": answers.keys})),
    }
}

async fn token(State(answers): State<Shared>, body: Bytes) -> Response {
    let mut answers = answers.lock();
    answers.token_form = form_urlencoded::parse(&body).into_owned().collect();
    if answers.rejects_code {
        return (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}).to_string()).into_response();
    }
    let id_token = answers.id_token.clone().unwrap_or_else(|| answers.key.sign(&answers.claims));
    answer(&answers, &json!({"id_token": id_token, "access_token": "an access token", "token_type": "Bearer"}))
}

async fn user_info(State(answers): State<Shared>) -> Response {
    let answers = answers.lock();
    answer(&answers, &answers.user_info)
}
