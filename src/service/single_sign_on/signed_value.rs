//! Signed values of single sign-on: compact JWS (RFC 7515) under the raw bytes of `SECRET_KEY`, as Dify and its
//! enterprise service sign them (contract E3).

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::domain::{
    Error, Result,
    key::{KeyRing, SHARED_KEY_ID},
    secret::Secret,
};

/// Longest value that is read, in bytes.
const MAX_LENGTH: usize = 8 * 1024;

/// The claims of a kind of signed value.
pub(crate) trait SignedClaims: Serialize + DeserializeOwned {
    /// The audience, which keeps the kinds apart.
    const AUDIENCE: &'static str;
    /// The time from signing to expiry.
    const LIFETIME: TimeDelta;
    /// Longest remaining lifetime that is accepted: the time for which a nonce is remembered. It is longer than the
    /// lifetime, because the clocks of signer and verifier differ.
    const MAX_LIFETIME: TimeDelta;
}

/// The reason why a value was rejected. None repeats the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignedValueError {
    #[error("malformed")]
    Malformed,
    #[error("wrong_algorithm")]
    WrongAlgorithm,
    #[error("unknown_key_id")]
    UnknownKeyId,
    #[error("bad_signature")]
    BadSignature,
    #[error("wrong_audience")]
    WrongAudience,
    #[error("expired")]
    Expired,
    #[error("malformed_claims")]
    MalformedClaims,
}

impl SignedValueError {
    /// The reason in audit events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKeyId => "unknown_key_id",
            Self::BadSignature => "bad_signature",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::MalformedClaims => "malformed_claims",
        }
    }
}

/// One audience or a list of one, which some libraries write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Listed([String; 1]),
}

impl Audience {
    fn is(&self, expected: &str) -> bool {
        match self {
            Self::One(audience) | Self::Listed([audience]) => audience == expected,
        }
    }
}

#[derive(Deserialize)]
struct RegisteredClaims {
    aud: Audience,
    /// Seconds since the epoch.
    exp: i64,
}

#[derive(Serialize)]
struct Payload<'a, C> {
    #[serde(flatten)]
    claims: &'a C,
    aud: &'static str,
    iat: i64,
    exp: i64,
}

/// A value that was accepted, and when it expires.
#[derive(Clone, Debug)]
pub(crate) struct Verified<C> {
    pub claims: C,
    pub expires_at: DateTime<Utc>,
}

/// Signs and verifies values.
#[derive(Clone)]
pub(crate) struct SignedValues {
    keys: Arc<KeyRing>,
}

impl SignedValues {
    pub(crate) fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }

    /// Signs claims with the current key. The result expires after the lifetime of its kind.
    pub(crate) fn sign<C: SignedClaims>(&self, claims: &C, now: DateTime<Utc>) -> Result<Secret> {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(SHARED_KEY_ID.to_owned());
        let (iat, exp) = (now.timestamp(), (now + C::LIFETIME).timestamp());
        let payload = Payload { claims, aud: C::AUDIENCE, iat, exp };
        let key = EncodingKey::from_secret(self.keys.signing_secret().expose().as_bytes());
        encode(&header, &payload, &key).map(Secret::new).map_err(Error::internal)
    }

    /// Checks algorithm, key, signature, audience and expiry, without leeway, then reads the claims.
    pub(crate) fn verify<C: SignedClaims>(
        &self,
        value: &str,
        now: DateTime<Utc>,
    ) -> Result<Verified<C>, SignedValueError> {
        if value.len() > MAX_LENGTH {
            return Err(SignedValueError::Malformed);
        }
        // `none` and other unknown algorithms do not parse.
        let header = decode_header(value).map_err(|_| SignedValueError::Malformed)?;
        if header.alg != Algorithm::HS256 {
            return Err(SignedValueError::WrongAlgorithm);
        }
        let secrets = header.kid.map(|id| self.keys.shared_secrets(&id, now)).unwrap_or_default();
        if secrets.is_empty() {
            return Err(SignedValueError::UnknownKeyId);
        }
        let payload = |secret: &Secret| {
            decode::<serde_json::Value>(value, &DecodingKey::from_secret(secret.expose().as_bytes()), &hs256()).ok()
        };
        let payload = secrets.into_iter().find_map(payload).ok_or(SignedValueError::BadSignature)?.claims;
        let registered = RegisteredClaims::deserialize(&payload).map_err(|_| SignedValueError::MalformedClaims)?;
        if !registered.aud.is(C::AUDIENCE) {
            return Err(SignedValueError::WrongAudience);
        }
        let expires_at = DateTime::from_timestamp(registered.exp, 0).ok_or(SignedValueError::MalformedClaims)?;
        if now >= expires_at || expires_at > now + C::MAX_LIFETIME {
            return Err(SignedValueError::Expired);
        }
        let claims = C::deserialize(payload).map_err(|_| SignedValueError::MalformedClaims)?;
        Ok(Verified { claims, expires_at })
    }
}

/// Checks the signature only. The caller compares the claims, times with its clock.
fn hs256() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
