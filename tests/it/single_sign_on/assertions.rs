//! `GET /openapi/v1/oauth/device/sso-complete` with assertions of an enterprise service.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::Mutex;

use super::*;

/// The `kid` of the current key.
const KEY_ID: &str = "dify-shared-v1";
const PREVIOUS_KEY: &str = "an earlier secret of the tests that is long enough";

/// The last signed state that the service received.
type LastState = Arc<Mutex<Option<String>>>;

/// An enterprise service with an identity provider. Returns its base URL.
async fn start_service(last_state: LastState, license: &'static str) -> String {
    let router = Router::new()
        .route(
            "/inner/api/info",
            get(async move || {
                Json(json!({
                    "License": {"status": license}, "WebAppAuth": {"allowSso": true}, "SSOEnforcedForWebProtocol": "oidc",
                }))
            }),
        )
        .route(
            "/inner/api/device-flow/sso-initiate",
            post(async |State(last): State<LastState>, Json(body): Json<Value>| {
                *last.lock() = body["signed_state"].as_str().map(str::to_owned);
                Json(json!({"url": "https://idp.example/authorize"}))
            }),
        )
        .with_state(last_state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/inner/api", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

struct Remote {
    server: TestServer,
    last_state: LastState,
}

impl Remote {
    async fn start(stores: Stores) -> Self {
        Self::start_with_license(stores, "active").await
    }

    async fn start_with_license(stores: Stores, license: &'static str) -> Self {
        let last_state = LastState::default();
        let url = start_service(Arc::clone(&last_state), license).await;
        let previous = format!("2025:{PREVIOUS_KEY}");
        let variables = [
            ("ENTERPRISE_ENABLED", "true"),
            ("ENTERPRISE_API_URL", url.as_str()),
            ("ENTERPRISE_API_SECRET_KEY", "the secret of the enterprise service"),
            ("SECRET_KEYS_PREVIOUS", previous.as_str()),
        ];
        Self { server: TestServer::start_with(stores, &variables).await, last_state }
    }

    /// A browser that has started a sign-in for a device.
    async fn started(&self, device: &Device) -> Browser {
        let mut browser = Browser::anonymous(&self.server);
        let request = browser.bare(Method::GET, &format!("{START}?user_code={}", device.user_code));
        let answer = Answer::to(request).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, "https://idp.example/authorize"),
            "{}",
            answer.text
        );
        browser.take_cookies(&answer.headers);
        browser
    }
}

async fn complete(browser: &Browser, assertion: &str) -> Answer {
    Answer::to(browser.bare(Method::GET, &format!("{COMPLETE}?sso_assertion={assertion}"))).await
}

/// Claims of a valid assertion. Each has its own nonce.
fn claims(device: &Device) -> Value {
    let now = now();
    json!({
        "sub_type": "external_sso", "email": ANN, "issuer": "https://idp.example", "user_code": device.user_code,
        "nonce": uuid::Uuid::new_v4(), "aud": "api.device_flow.external_subject_assertion", "iat": now, "exp": now + 300,
    })
}

fn with(mut claims: Value, member: &str, value: Value) -> Value {
    claims[member] = value;
    claims
}

fn sign(algorithm: Algorithm, key_id: Option<&str>, claims: &Value, secret: &str) -> String {
    let mut header = Header::new(algorithm);
    header.kid = key_id.map(str::to_owned);
    encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn assertion(claims: &Value) -> String {
    sign(Algorithm::HS256, Some(KEY_ID), claims, SECRET_KEY)
}

on_both_stores!(
    assertion_leads_to_a_token,
    signed_state_has_the_claims_of_dify,
    invalid_assertions_are_rejected,
    assertion_is_accepted_once,
    assertion_in_another_browser_is_rejected,
    accounts_cannot_sign_in_through_the_enterprise_service,
    every_route_requires_a_license
);

async fn assertion_leads_to_a_token(stores: Stores) {
    let remote = Remote::start(stores).await;
    for secret in [SECRET_KEY, PREVIOUS_KEY] {
        let device = Device::start(&remote.server, "laptop").await;
        let mut browser = remote.started(&device).await;
        let key_id = if secret == SECRET_KEY { KEY_ID } else { "2025" };
        let answer = complete(&browser, &sign(Algorithm::HS256, Some(key_id), &claims(&device), secret)).await;
        assert_eq!((answer.status, answer.header("location")), (302, "/device?sso_verified=1"), "{}", answer.text);
        browser.take_cookies(&answer.headers);
        let (_, context) = browser.get(CONTEXT).await;
        let request =
            browser.bare(Method::POST, APPROVE).header("x-csrf-token", context["csrf_token"].as_str().unwrap());
        assert_eq!(Answer::to(request.json(&json!({"user_code": device.user_code}))).await.status, 200);
        let (status, token) = device.poll().await;
        assert_eq!((status, &token["subject_issuer"]), (200, &json!("https://idp.example")), "{token}");
    }
}

async fn signed_state_has_the_claims_of_dify(stores: Stores) {
    let remote = Remote::start(stores).await;
    let device = Device::start(&remote.server, "laptop").await;
    remote.started(&device).await;
    let state = remote.last_state.lock().clone().unwrap();
    let mut validation = jsonwebtoken::Validation::new(Algorithm::HS256);
    validation.set_audience(&["api.sso.state_envelope"]);
    let key = jsonwebtoken::DecodingKey::from_secret(SECRET_KEY.as_bytes());
    let decoded = jsonwebtoken::decode::<Value>(&state, &key, &validation).unwrap();
    assert_eq!((decoded.header.kid.as_deref(), decoded.header.typ.as_deref()), (Some(KEY_ID), Some("JWT")));
    let mut claims = decoded.claims;
    let lifetime = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!((lifetime, claims["nonce"].as_str().unwrap().len()), (900, 22));
    for varying in ["exp", "iat", "nonce"] {
        claims.as_object_mut().unwrap().remove(varying);
    }
    let expected = json!({
        "redirect_url": "", "app_code": "", "intent": "device_flow", "user_code": device.user_code, "return_to": "",
        "idp_callback_url": remote.server.at(COMPLETE), "aud": "api.sso.state_envelope",
    });
    assert_eq!(claims, expected);
}

async fn invalid_assertions_are_rejected(stores: Stores) {
    let remote = Remote::start(stores).await;
    let device = Device::start(&remote.server, "laptop").await;
    let browser = remote.started(&device).await;
    let valid = claims(&device);
    let now = now();
    let state = remote.last_state.lock().clone().unwrap();
    let signed = assertion(&valid);
    let (text, signature) = signed.rsplit_once('.').unwrap();
    let (head, _) = text.split_once('.').unwrap();
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned =
        |algorithm: &str| format!("{}.{}.", encoded(&json!({"alg": algorithm, "kid": KEY_ID})), encoded(&valid));
    let relabelled = |algorithm: &str| {
        format!("{}.{}.{signature}", encoded(&json!({"alg": algorithm, "kid": KEY_ID})), encoded(&valid))
    };
    let cases = [
        ("forged payload", format!("{head}.{}.{signature}", encoded(&with(valid.clone(), "email", json!("eve@x.y"))))),
        ("no signature", format!("{text}.")),
        ("another secret", sign(Algorithm::HS256, Some(KEY_ID), &valid, "another secret, which is long enough too")),
        ("previous secret under the current kid", sign(Algorithm::HS256, Some(KEY_ID), &valid, PREVIOUS_KEY)),
        ("unknown kid", sign(Algorithm::HS256, Some("2024"), &valid, SECRET_KEY)),
        ("no kid", sign(Algorithm::HS256, None, &valid, SECRET_KEY)),
        ("HS512", sign(Algorithm::HS512, Some(KEY_ID), &valid, SECRET_KEY)),
        ("none", unsigned("none")),
        ("NONE", unsigned("NONE")),
        ("RS256", relabelled("RS256")),
        ("ES256", relabelled("ES256")),
        ("state in place of an assertion", state),
        ("another audience", assertion(&with(valid.clone(), "aud", json!("api.device_flow.approval_grant")))),
        ("expired", assertion(&with(valid.clone(), "exp", json!(now - 1)))),
        ("too long-lived", assertion(&with(valid.clone(), "exp", json!(now + 3_600)))),
        ("no email", assertion(&with(valid.clone(), "email", Value::Null))),
        ("email without @", assertion(&with(valid.clone(), "email", json!("ann")))),
        ("empty issuer", assertion(&with(valid.clone(), "issuer", json!("")))),
        ("issuer of accounts", assertion(&with(valid.clone(), "issuer", json!("dify:account")))),
        ("empty nonce", assertion(&with(valid.clone(), "nonce", json!("")))),
        ("long nonce", assertion(&with(valid.clone(), "nonce", json!("n".repeat(129))))),
        ("malformed code", assertion(&with(valid.clone(), "user_code", json!("nothing")))),
        ("no JWS", "x".to_owned()),
    ];
    for (case, value) in cases {
        let answer = complete(&browser, &value).await;
        assert_eq!(error_code(&answer), (400, "invalid_sso_assertion".to_owned()), "{case}");
        assert!(answer.cookies().is_empty(), "{case}");
    }
    assert_eq!(complete(&browser, &signed).await.status, 302, "the valid one was not used up");
}

async fn assertion_is_accepted_once(stores: Stores) {
    let remote = Remote::start(stores).await;
    let device = Device::start(&remote.server, "laptop").await;
    let (browser, signed) = (remote.started(&device).await, assertion(&claims(&device)));
    let answers = futures_util::future::join_all((0..8).map(|_| complete(&browser, &signed))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 302).count(), 1);
    let rejected = answers.iter().filter(|answer| answer.status != 302);
    assert!(rejected.map(error_code).all(|outcome| outcome == (400, "invalid_sso_assertion".to_owned())));
}

async fn assertion_in_another_browser_is_rejected(stores: Stores) {
    let remote = Remote::start(stores).await;
    let (mine, other) = (Device::start(&remote.server, "mine").await, Device::start(&remote.server, "other").await);
    let browser = remote.started(&mine).await;
    let idle = Browser::anonymous(&remote.server);
    for (browser, device) in [(&idle, &mine), (&browser, &other)] {
        let answer = complete(browser, &assertion(&claims(device))).await;
        assert_eq!(error_code(&answer), (400, "invalid_sso_assertion".to_owned()));
    }
}

async fn accounts_cannot_sign_in_through_the_enterprise_service(stores: Stores) {
    let remote = Remote::start(stores).await;
    let browser = Browser::anonymous(&remote.server);
    assert_eq!(Answer::to(browser.bare(Method::GET, "/signin/sso")).await.status, 404);
    let page = Answer::to(browser.bare(Method::GET, "/signin")).await;
    assert!(page.status == 200 && !page.text.contains("signin&#x2f;sso"));
    let page = Answer::to(browser.bare(Method::GET, "/device")).await;
    assert!(page.text.contains("name=\"sso\""), "{}", page.text);
}

async fn every_route_requires_a_license(stores: Stores) {
    let remote = Remote::start_with_license(stores, "expired").await;
    let device = Device::start(&remote.server, "laptop").await;
    let mut browser = Browser::anonymous(&remote.server);
    let grant = json!({
        "iss": remote.server.url, "subject_email": ANN, "subject_issuer": "https://idp.example", "nonce": "n",
        "user_code": device.user_code, "csrf_token": "c", "aud": "api.device_flow.approval_grant", "iat": now(),
        "exp": now() + 300,
    });
    browser.cookies.insert(GRANT.to_owned(), assertion(&grant));
    for path in [format!("{START}?user_code={}", device.user_code), format!("{COMPLETE}?state=x"), CONTEXT.to_owned()] {
        let answer = Answer::to(browser.bare(Method::GET, &path)).await;
        assert_eq!(error_code(&answer), (403, "license_required".to_owned()), "{path}");
    }
    let request = browser.bare(Method::POST, APPROVE).header("x-csrf-token", "c");
    let answer = Answer::to(request.json(&json!({"user_code": device.user_code}))).await;
    assert_eq!(error_code(&answer), (403, "license_required".to_owned()));
    let page = Answer::to(browser.bare(Method::GET, "/openapi/v1/oauth/device/confirm")).await;
    assert!(page.status == 403 && page.text.contains("Single sign-on is not available"), "{}", page.text);
}
