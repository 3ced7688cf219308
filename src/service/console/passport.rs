//! The console's cookies: JWTs under `SECRET_KEY`, as Dify makes them and reads them (contract section 6, approval).
//!
//! Signature, claims and time are judged here and nothing else; that the account, and standalone the session, still are is
//! for whoever asks to read each time.

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

/// The `sub` of every access token, in Dify and here.
pub const PASSPORT: &str = "Console API Passport";

/// Signs and reads the cookies.
#[derive(Clone)]
pub struct Passports {
    keys: Arc<KeyRing>,
}

/// For whom an access token speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// The session, in tokens of ours; Dify's have none.
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
    // Dify signs its web-app tokens under the same key; these claims are how they differ.
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
    /// Signs with the current key and accepts every one.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }

    /// The value of the access cookie.
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

    /// The value of the CSRF cookie.
    pub fn csrf_token(&self, account: AccountId, until: DateTime<Utc>) -> Result<Secret> {
        self.sign(&CsrfClaims { exp: until.timestamp(), sub: account.to_string() })
    }

    /// For whom an access token speaks, if it is one and not over; no leeway.
    pub fn holder(&self, access_token: &str, now: DateTime<Utc>) -> Option<Holder> {
        let claims: AccessClaims = self.verify(access_token)?;
        let theirs = claims.aud.is_some() || claims.token_source.is_some();
        if claims.sub != PASSPORT || theirs || now.timestamp() >= claims.exp {
            return None;
        }
        let account = claims.user_id.parse().ok()?;
        Some(Holder { account, session: claims.jti.and_then(|jti| jti.parse().ok()) })
    }

    /// Whether a CSRF token is this account's and still good.
    pub fn csrf_holds(&self, csrf_token: &str, account: AccountId, now: DateTime<Utc>) -> bool {
        self.verify::<CsrfClaims>(csrf_token)
            .is_some_and(|claims| claims.sub == account.to_string() && now.timestamp() < claims.exp)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<Secret> {
        let key = EncodingKey::from_secret(self.keys.signing_secret().expose().as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).map(Secret::new).map_err(Error::internal)
    }

    /// Signature and shape only; times are judged by the clock that is given.
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
