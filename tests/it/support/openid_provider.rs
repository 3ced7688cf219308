//! A stand-in for an OpenID provider. It has no pages: a test decides what each authorization code stands for.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use dify_openapi::testing::ports::Clock as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{TestServer, server::install_crypto};

pub const CLIENT_ID: &str = "dify";
pub const CLIENT_SECRET: &str = "the secret of the tests";

struct Provider {
    issuer: String,
    /// The URL before the endpoints that the metadata names.
    endpoints: String,
    key: EncodingKey,
    public_key: Value,
    /// The claims of each code, and its challenge.
    codes: BTreeMap<String, (Value, String)>,
    is_down: bool,
    /// The trace context of the last exchange of a code.
    traceparent: String,
}

/// A provider on a free port.
#[derive(Clone)]
pub struct OpenIdProvider {
    pub issuer: String,
    provider: Arc<Mutex<Provider>>,
}

impl OpenIdProvider {
    pub async fn start() -> Self {
        install_crypto();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut public_key = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        public_key["kid"] = json!("k1");
        let provider = Provider {
            issuer: issuer.clone(),
            endpoints: issuer.clone(),
            key,
            public_key,
            codes: BTreeMap::new(),
            is_down: false,
            traceparent: String::new(),
        };
        let provider = Arc::new(Mutex::new(provider));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route(
                "/jwks",
                get(async |State(provider): State<Arc<Mutex<Provider>>>| {
                    Json(json!({"keys": [provider.lock().public_key]}))
                }),
            )
            .route("/token", post(token))
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { issuer, provider }
    }

    /// The variables of a server that uses this provider.
    pub fn variables(&self) -> [(&str, &str); 4] {
        [
            ("ENTERPRISE_ENABLED", "true"),
            ("SSO_OIDC_ISSUER", &self.issuer),
            ("SSO_OIDC_CLIENT_ID", CLIENT_ID),
            ("SSO_OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ]
    }

    /// Claims of a person for the authorization request with this URL.
    pub fn claims(&self, server: &TestServer, email: &str, request: &url::Url) -> Value {
        let now = server.clock.now().timestamp();
        json!({
            "iss": self.issuer, "sub": email, "aud": CLIENT_ID, "exp": now + 300, "iat": now,
            "nonce": parameter(request, "nonce"), "email": email, "email_verified": true,
        })
    }

    /// Issues a code for claims, as the response to an authorization request.
    pub fn issue_code(&self, claims: Value, request: &url::Url) -> String {
        let code = uuid::Uuid::new_v4().to_string();
        self.provider.lock().codes.insert(code.clone(), (claims, parameter(request, "code_challenge")));
        code
    }

    /// The trace context of the last exchange of a code.
    pub fn traceparent(&self) -> String {
        self.provider.lock().traceparent.clone()
    }

    /// Changes the URLs under which a proxy makes the issuer and its other endpoints accessible.
    pub fn move_to(&mut self, issuer: &str, endpoints: &str) {
        issuer.clone_into(&mut self.issuer);
        let mut provider = self.provider.lock();
        issuer.clone_into(&mut provider.issuer);
        endpoints.clone_into(&mut provider.endpoints);
    }

    /// Answers everything with 500 from now on, or no longer.
    pub fn set_down(&self, is_down: bool) {
        self.provider.lock().is_down = is_down;
    }
}

/// A parameter of an authorization request.
pub fn parameter(url: &url::Url, name: &str) -> String {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn metadata(State(provider): State<Arc<Mutex<Provider>>>) -> Response {
    let provider = provider.lock();
    if provider.is_down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (issuer, endpoints) = (&provider.issuer, &provider.endpoints);
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{endpoints}/auth"),
        "token_endpoint": format!("{endpoints}/token"),
        "jwks_uri": format!("{endpoints}/jwks"),
    }))
    .into_response()
}

/// Answers a code once, if the verifier matches its challenge.
async fn token(State(provider): State<Arc<Mutex<Provider>>>, headers: HeaderMap, body: Bytes) -> Response {
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let mut provider = provider.lock();
    headers["traceparent"].to_str().unwrap().clone_into(&mut provider.traceparent);
    if provider.is_down {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let issued = provider.codes.remove(&form["code"]);
    let Some((claims, _)) = issued.filter(|(_, challenge)| *challenge == s256(&form["code_verifier"])) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("k1".to_owned());
    Json(json!({"id_token": encode(&header, &claims, &provider.key).unwrap(), "token_type": "Bearer"})).into_response()
}

/// RFC 7636 section 4.2.
fn s256(verifier: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest as _, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}
