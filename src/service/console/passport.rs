//! The console's cookies: JWTs under `SECRET_KEY`, in Dify's format (contract section 6, approval).
//!
//! This module checks signature, claims and time. The caller reads the account, and standalone the session, each time.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
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

/// Signs and verifies the cookies.
#[derive(Clone)]
pub struct Passports {
    keys: Arc<KeyRing>,
    access_lifetime: TimeDelta,
}

/// The subject of an access token.
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
    // Dify signs its web-app tokens under the same key, with these claims.
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

/// Claims with the time at which the token expires.
trait Expiring: DeserializeOwned {
    /// In seconds since 1970.
    fn exp(&self) -> i64;
}

impl Expiring for AccessClaims {
    fn exp(&self) -> i64 {
        self.exp
    }
}

impl Expiring for CsrfClaims {
    fn exp(&self) -> i64 {
        self.exp
    }
}

impl Passports {
    /// `access_lifetime` is the lifetime of the tokens, also of Dify's.
    pub fn new(keys: Arc<KeyRing>, access_lifetime: TimeDelta) -> Self {
        Self { keys, access_lifetime }
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

    /// The subject of an access token; `None` if it is not valid or has expired. No leeway.
    pub fn holder(&self, access_token: &str, now: DateTime<Utc>) -> Option<Holder> {
        let claims: AccessClaims = self.verify(access_token)?;
        let is_of_web_app = claims.aud.is_some() || claims.token_source.is_some();
        if claims.sub != PASSPORT || is_of_web_app || now.timestamp() >= claims.exp {
            return None;
        }
        let account = claims.user_id.parse().ok()?;
        Some(Holder { account, session: claims.jti.and_then(|jti| jti.parse().ok()) })
    }

    /// Whether a CSRF token belongs to the account and has not expired.
    pub fn csrf_holds(&self, csrf_token: &str, account: AccountId, now: DateTime<Utc>) -> bool {
        self.verify::<CsrfClaims>(csrf_token)
            .is_some_and(|claims| claims.sub == account.to_string() && now.timestamp() < claims.exp)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<Secret> {
        let key = EncodingKey::from_secret(self.keys.signing_secret().expose().as_bytes());
        encode(&Header::new(Algorithm::HS256), claims, &key).map(Secret::new).map_err(Error::internal)
    }

    /// Checks the signature. A token under the next secret counts like one under the current one: a replica that already
    /// uses it has issued it. A token under the replaced secret counts only if it expires within the access lifetime
    /// after the replacement, as those that were issued before do.
    fn verify<C: Expiring>(&self, token: &str) -> Option<C> {
        self.keys.verifying_secrets().find_map(|secret| decode_signed(token, secret)).or_else(|| {
            let replaced = self.keys.replaced_secret()?;
            let last_expiry = replaced.at.checked_add_signed(self.access_lifetime)?;
            decode_signed(token, &replaced.secret).filter(|claims: &C| claims.exp() <= last_expiry.timestamp())
        })
    }
}

/// Checks the signature only: the caller compares times with its clock.
fn decode_signed<C: DeserializeOwned>(token: &str, secret: &Secret) -> Option<C> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    decode::<C>(token, &key, &validation).ok().map(|data| data.claims)
}
