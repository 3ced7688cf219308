//! The client against a stand-in provider that a test changes.

mod provider;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use self::provider::{CLIENT_ID, TestKey, TestProvider};
use super::OidcClient;
use crate::{
    domain::{Code, secret::Secret},
    ports::identity_provider::{
        AuthorizationRequest, AuthorizationResponse, IdentityError, IdentityProvider as _, VerifiedIdentity,
    },
};

const NONCE: &str = "the nonce";

/// Finds the identity for the provider's current answers.
async fn find_identity(client: &OidcClient, issuer: Option<&str>) -> Result<VerifiedIdentity, IdentityError> {
    let code_verifier = Secret::new("v".repeat(64));
    let response = AuthorizationResponse { code: "a code", issuer, nonce: NONCE, code_verifier: &code_verifier };
    client.find_identity(response).await
}

fn reason<T>(result: Result<T, IdentityError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(IdentityError::Invalid(reason)) => reason,
        Err(IdentityError::EmailNotVerified) => "email_not_verified",
        Err(IdentityError::DomainNotAllowed) => "domain_not_allowed",
        Err(IdentityError::Unavailable(error)) => error.code().as_str(),
    }
}

#[tokio::test]
async fn authorization_url_has_the_parameters_of_pkce() {
    let provider = TestProvider::start().await;
    let client = provider.client(|_| ());
    // RFC 7636, appendix B.
    let code_verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let request = AuthorizationRequest { state: "a state", nonce: NONCE, code_verifier: &code_verifier };
    let url = client.authorization_url(request).await.unwrap();
    assert!(url.as_str().starts_with(&format!("{}/auth?", provider.issuer)));
    let pairs: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let expected = [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", "https://dify.example/callback"),
        ("scope", "openid email profile"),
        ("state", "a state"),
        ("nonce", NONCE),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn identity_is_found_with_every_algorithm_and_both_client_authentications() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        for method in ["client_secret_basic", "client_secret_post"] {
            let provider = TestProvider::start_with(TestKey::new("k1", algorithm)).await;
            provider.change(|state| state.metadata["token_endpoint_auth_methods_supported"] = json!([method]));
            let found = find_identity(&provider.client(|_| ()), None).await.unwrap();
            let expected =
                VerifiedIdentity { email: "ann@partner.example".to_owned(), issuer: provider.issuer.clone() };
            assert_eq!(found, expected, "{algorithm:?} {method}");
        }
    }
}

#[tokio::test]
async fn claims_of_an_id_token_are_checked() {
    let provider = TestProvider::start().await;
    let now = provider.clock.now().timestamp();
    let cases: &[(&str, Value, &str)] = &[
        ("aud", json!([CLIENT_ID]), "ok"),
        ("azp", json!(CLIENT_ID), "ok"),
        ("exp", json!(now - 59), "ok"),
        ("iat", json!(now + 60), "ok"),
        ("email_verified", json!("true"), "ok"),
        ("iss", json!("https://other.example"), "id_token_issuer"),
        ("iss", json!(format!("{}/", provider.issuer)), "id_token_issuer"),
        ("aud", json!("another client"), "id_token_audience"),
        ("aud", json!(["another client"]), "id_token_audience"),
        ("aud", json!([]), "id_token_audience"),
        ("aud", json!([CLIENT_ID, "another client"]), "id_token_authorized_party"),
        ("azp", json!("another client"), "id_token_authorized_party"),
        ("exp", json!(now - 60), "id_token_expired"),
        ("exp", Value::Null, "id_token_claims"),
        ("iat", json!(now + 61), "id_token_not_yet_valid"),
        ("nbf", json!(now + 61), "id_token_not_yet_valid"),
        ("nonce", json!("another nonce"), "id_token_nonce"),
        ("nonce", Value::Null, "id_token_nonce"),
        ("email_verified", json!(false), "email_not_verified"),
        ("email_verified", json!("false"), "email_not_verified"),
        ("email_verified", json!(1), "email_not_verified"),
        ("email_verified", Value::Null, "email_not_verified"),
        ("email", json!("ann@other.example"), "domain_not_allowed"),
        ("email", json!("ann@sub.partner.example"), "domain_not_allowed"),
        ("email", json!("ann@PARTNER.example"), "ok"),
    ];
    let client = provider.client(|settings| settings.allowed_domains = vec!["partner.example".to_owned()]);
    for (member, value, expected) in cases {
        provider.change(|state| state.claims = provider.claims());
        provider.change(|state| state.claims[*member] = value.clone());
        assert_eq!(reason(find_identity(&client, None).await), *expected, "{member} {value}");
    }
}

#[tokio::test]
async fn id_token_with_a_wrong_signature_or_algorithm_is_rejected() {
    let provider = TestProvider::start().await;
    let client = provider.client(|_| ());
    let claims = provider.claims();
    let unsigned = |algorithm: &str| provider::unsigned(&json!({"alg": algorithm, "kid": "k1"}), &claims);
    let public_key_as_secret = provider::hs256("k1", &claims, provider.public_key().as_bytes());
    for (token, expected) in [
        (TestKey::new("k1", Algorithm::ES256).sign(&claims), "id_token_signature"),
        (public_key_as_secret, "id_token_algorithm"),
        (provider::hs256("k1", &claims, provider::CLIENT_SECRET.as_bytes()), "id_token_algorithm"),
        (unsigned("none"), "id_token_malformed"),
        (unsigned("ES256"), "id_token_signature"),
        (unsigned("RS256"), "id_token_key"),
        (TestKey::new("k1", Algorithm::EdDSA).sign(&claims), "id_token_key"),
        ("not a token".to_owned(), "id_token_malformed"),
    ] {
        provider.change(|state| state.id_token = Some(token.clone()));
        assert_eq!(reason(find_identity(&client, None).await), expected, "{token}");
    }
}

#[tokio::test]
async fn response_of_another_issuer_is_rejected() {
    let provider = TestProvider::start().await;
    let (client, other) = (provider.client(|_| ()), Some("https://other.example"));
    assert_eq!(reason(find_identity(&client, Some(&provider.issuer)).await), "ok");
    assert_eq!(reason(find_identity(&client, None).await), "ok");
    assert_eq!(reason(find_identity(&client, other).await), "response_issuer");
    provider.change(|state| state.metadata["authorization_response_iss_parameter_supported"] = json!(true));
    client.refresh().await.unwrap();
    assert_eq!(reason(find_identity(&client, None).await), "response_issuer");
    assert_eq!(reason(find_identity(&client, Some(&provider.issuer)).await), "ok");
}

#[tokio::test]
async fn changed_keys_are_read_again_at_most_every_30_seconds() {
    let provider = TestProvider::start().await;
    let client = provider.client(|_| ());
    assert_eq!(reason(find_identity(&client, None).await), "ok");
    assert_eq!(provider.jwks_requests(), 1);
    provider.rotate(TestKey::new("k2", Algorithm::ES256));
    assert_eq!(reason(find_identity(&client, None).await), "id_token_key", "read a moment ago");
    provider.clock.advance(TimeDelta::seconds(30));
    provider.change(|state| state.claims = provider.claims());
    assert_eq!(reason(find_identity(&client, None).await), "ok");
    assert_eq!(provider.jwks_requests(), 2);
    for round in 0..20 {
        let token = TestKey::new(&format!("invented {round}"), Algorithm::ES256).sign(&provider.claims());
        provider.change(|state| state.id_token = Some(token));
        assert_eq!(reason(find_identity(&client, None).await), "id_token_key");
    }
    assert_eq!(provider.jwks_requests(), 2, "invented keys cause no requests");
}

#[tokio::test]
async fn key_set_that_is_down_or_huge_or_no_json_is_an_upstream_error_and_known_keys_stay() {
    let big = json!({"keys": [], "padding": "x".repeat(200_000)}).to_string();
    for (status, body) in [(500, "{}".to_owned()), (200, big), (200, "<html>".to_owned()), (302, "{}".to_owned())] {
        let provider = TestProvider::start().await;
        provider.change(|state| state.jwks_answer = Some((status, body.clone())));
        let client = provider.client(|_| ());
        assert_eq!(reason(find_identity(&client, None).await), "upstream_error", "{status}");
        provider.change(|state| state.jwks_answer = None);
        client.refresh().await.unwrap();
        provider.change(|state| state.jwks_answer = Some((status, body.clone())));
        assert_eq!(client.refresh().await.unwrap_err().code(), Code::UpstreamError);
        assert_eq!(reason(find_identity(&client, None).await), "ok", "{status}");
    }
}

#[tokio::test]
async fn unusable_keys_in_a_set_are_skipped() {
    let provider = TestProvider::start().await;
    let unusable = json!([
        {"kty": "oct", "kid": "k1", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "k1", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "kid": "k1", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "OKP", "kid": "k1", "crv": "Ed25519", "x": "AA"},
        {"kty": "unknown", "kid": "k1"},
        {"kid": 7},
        "no object",
    ]);
    provider.change(|state| {
        let mut keys = unusable.as_array().unwrap().clone();
        let mut for_encryption = state.keys[0].clone();
        for_encryption["use"] = json!("enc");
        keys.push(for_encryption);
        state.keys = keys;
    });
    let client = provider.client(|_| ());
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let token = TestKey::new("k1", algorithm).sign(&provider.claims());
        provider.change(|state| state.id_token = Some(token));
        assert_eq!(reason(find_identity(&client, None).await), "id_token_key");
        // The set, which has no usable key, may be read again.
        provider.clock.advance(TimeDelta::seconds(30));
    }
}

#[tokio::test]
async fn email_is_read_from_the_user_info_when_the_id_token_has_none() {
    let provider = TestProvider::start().await;
    let client = provider.client(|_| ());
    provider.change(|state| state.claims["email"] = Value::Null);
    let cases = [
        (json!({"sub": "1", "email": "ann@partner.example", "email_verified": true}), "ok"),
        (json!({"sub": "1", "email": "ann@partner.example"}), "email_not_verified"),
        (json!({"sub": "1"}), "email_not_verified"),
        (json!({"sub": "2", "email": "bob@partner.example", "email_verified": true}), "user_info_subject"),
        (json!("no object"), "user_info_subject"),
    ];
    for (info, expected) in cases {
        provider.change(|state| state.user_info = info.clone());
        assert_eq!(reason(find_identity(&client, None).await), expected, "{info}");
    }
}

#[tokio::test]
async fn unreachable_provider_is_an_upstream_error_until_it_answers() {
    let provider = TestProvider::start().await;
    provider.change(|state| state.is_down = true);
    let client = provider.client(|_| ());
    let code_verifier = Secret::new("v".repeat(64));
    let request = AuthorizationRequest { state: "s", nonce: NONCE, code_verifier: &code_verifier };
    let code = async || client.authorization_url(request).await.err().map(|error| error.code());
    assert_eq!(code().await, Some(Code::UpstreamError));
    provider.change(|state| state.is_down = false);
    assert_eq!(code().await, Some(Code::UpstreamError), "tried a moment ago");
    provider.clock.advance(TimeDelta::seconds(5));
    assert_eq!(code().await, None);
    provider.change(|state| state.is_down = true);
    assert_eq!(code().await, None, "the metadata is known");
    assert_eq!(reason(find_identity(&client, None).await), "upstream_error");
}

#[tokio::test]
async fn rejected_code_is_invalid_and_sends_the_verifier() {
    let provider = TestProvider::start().await;
    let client = provider.client(|_| ());
    provider.change(|state| state.rejects_code = true);
    assert_eq!(reason(find_identity(&client, None).await), "code_rejected");
    let form = provider.token_form();
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["code_verifier"], "v".repeat(64));
    assert_eq!(form["redirect_uri"], "https://dify.example/callback");
    assert!(!form.contains_key("client_secret"), "the secret is in the header");
}

/// A clock that a test moves.
#[derive(Clone)]
struct ManualClock(Arc<parking_lot::Mutex<DateTime<Utc>>>);

impl ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock()
    }

    fn advance(&self, by: TimeDelta) {
        *self.0.lock() += by;
    }
}

impl crate::ports::clock::Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        self.now()
    }
}
