//! The console's cookies: JWTs signed with `SECRET_KEY`, in Dify's format (contract section 6, approval).
//!
//! This module checks signature, claims and expiry. The caller checks that the account and, standalone, the session
//! exist.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::{
    Error, Result,
    id::{AccountId, BrowserSessionId},
    key::KeyRing,
    secret::Secret,
};

/// The `sub` of every access token. Dify uses the same.
pub const PASSPORT: &str = "Console API Passport";

/// Signs and verifies cookies.
#[derive(Clone)]
pub struct Passports {
    keys: Arc<KeyRing>,
}

/// The account and session of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub account: AccountId,
    /// `None` in Dify's tokens.
    pub session: Option<BrowserSessionId>,
}

#[derive(Serialize, Deserialize)]
struct AccessClaims {
    user_id: String,
    exp: i64,
    #[serde(default)]
    iss: String,
    sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    // Dify signs its web-app tokens with the same key. Only these claims distinguish them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token_source: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct CsrfClaims {
    exp: i64,
    sub: String,
}

impl Passports {
    /// Signs with the current key and verifies with every key.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }

    pub fn access_token(&self, account: AccountId, session: BrowserSessionId, until: DateTime<Utc>) -> Result<Secret> {
        self.sign(&AccessClaims {
            user_id: account.to_string(),
            exp: until.timestamp(),
            iss: "SELF_HOSTED".to_owned(),
            sub: PASSPORT.to_owned(),
            jti: Some(session.to_string()),
            token_source: None,
            aud: None,
        })
    }

    pub fn csrf_token(&self, account: AccountId, until: DateTime<Utc>) -> Result<Secret> {
        self.sign(&CsrfClaims { exp: until.timestamp(), sub: account.to_string() })
    }

    /// The holder of a valid access token. The expiry has no leeway.
    pub fn holder(&self, access_token: &str, now: DateTime<Utc>) -> Option<Holder> {
        let claims: AccessClaims = self.verify(access_token)?;
        let theirs = claims.aud.is_some() || claims.token_source.is_some();
        if claims.sub != PASSPORT || theirs || now.timestamp() >= claims.exp {
            return None;
        }
        let account = claims.user_id.parse().ok()?;
        Some(Holder { account, session: claims.jti.and_then(|jti| jti.parse().ok()) })
    }

    /// Whether a CSRF token belongs to this account and has not expired.
    pub fn csrf_holds(&self, csrf_token: &str, account: AccountId, now: DateTime<Utc>) -> bool {
        self.verify::<CsrfClaims>(csrf_token)
            .is_some_and(|claims| claims.sub == account.to_string() && now.timestamp() < claims.exp)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<Secret> {
        let key = EncodingKey::from_secret(self.keys.signing_secret().expose().as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).map(Secret::new).map_err(Error::internal)
    }

    /// Checks signature and claims. The caller checks the expiry with its own clock.
    fn verify<C: DeserializeOwned>(&self, token: &str) -> Option<C> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        self.keys.verifying_secrets().find_map(|secret| {
            let key = DecodingKey::from_secret(secret.expose().as_bytes());
            decode::<C>(token, &key, &validation).ok().map(|data| data.claims)
        })
    }
}
