//! Verification of ID tokens (OpenID Connect Core section 3.1.3.7).

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use serde_json::Value;

use super::keys::VerificationKey;
use crate::{domain::secret::constant_time_eq, ports::identity_provider::IdentityError};

/// How much the clocks of provider and service may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);
/// Algorithms of ID tokens. All are asymmetric, so that no public value can be taken for a secret key.
pub(super) const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// What an ID token has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: DateTime<Utc>,
}

/// The identity in an ID token or in an answer of the user info endpoint.
#[derive(Debug, Deserialize)]
pub(super) struct IdentityClaims {
    pub(super) sub: String,
    pub(super) email: Option<String>,
    pub(super) email_verified: Option<Value>,
}

impl IdentityClaims {
    /// Whether the provider vouches for the email address. Some providers write the boolean as text.
    pub(super) fn is_email_verified(&self) -> bool {
        match &self.email_verified {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(text)) => text == "true",
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct IdTokenClaims {
    iss: String,
    aud: Audiences,
    azp: Option<String>,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    #[serde(flatten)]
    identity: IdentityClaims,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Many(Vec<String>),
}

/// Verifies a token with the key that its header names.
pub(super) fn verify(
    token: &str,
    key: &VerificationKey,
    expected: &Expected<'_>,
) -> Result<IdentityClaims, IdentityError> {
    let mut validation = Validation::new(key.algorithm);
    validation.required_spec_claims.clear();
    // The caller's clock decides, below.
    validation.validate_exp = false;
    validation.validate_aud = false;
    let decoded =
        decode::<Value>(token, &key.key, &validation).map_err(|_| IdentityError::Invalid("id_token_signature"))?;
    let claims = IdTokenClaims::deserialize(decoded.claims).map_err(|_| IdentityError::Invalid("id_token_claims"))?;
    check(&claims, expected).map_err(IdentityError::Invalid)?;
    Ok(claims.identity)
}

fn check(claims: &IdTokenClaims, expected: &Expected<'_>) -> Result<(), &'static str> {
    if claims.iss != expected.issuer {
        return Err("id_token_issuer");
    }
    let (is_ours, is_only) = match &claims.aud {
        Audiences::One(audience) => (audience == expected.client_id, true),
        Audiences::Many(list) => (list.iter().any(|audience| audience == expected.client_id), list.len() == 1),
    };
    if !is_ours {
        return Err("id_token_audience");
    }
    let is_authorized = match &claims.azp {
        Some(party) => party == expected.client_id,
        None => is_only,
    };
    if !is_authorized {
        return Err("id_token_authorized_party");
    }
    let (now, skew) = (expected.now.timestamp(), CLOCK_SKEW.num_seconds());
    if now >= claims.exp.saturating_add(skew) {
        return Err("id_token_expired");
    }
    let is_early = |time: i64| time > now.saturating_add(skew);
    if is_early(claims.iat) || claims.nbf.is_some_and(is_early) {
        return Err("id_token_not_yet_valid");
    }
    let is_same_nonce =
        claims.nonce.as_ref().is_some_and(|nonce| constant_time_eq(nonce.as_bytes(), expected.nonce.as_bytes()));
    if is_same_nonce { Ok(()) } else { Err("id_token_nonce") }
}
