//! The provider's signing keys (RFC 7517), cached. An unknown `kid` reads them again, at most once in a while.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::{
    error::FetchError,
    fetch::{ProviderHttp, fetch_json},
};

/// Longest key set in bytes.
const MAX_KEY_SET: usize = 128 * 1024;
/// Keys that are read from a set.
const MAX_KEYS: usize = 100;
/// Shortest modulus of an RSA key in bytes (RFC 7518 section 3.3).
const MIN_RSA_BYTES: usize = 256;
/// Characters of an Ed25519 key: 32 bytes in base64url. The verifier panics on shorter ones.
const ED25519_LENGTH: usize = 43;
/// Minimum time between two readings of the set, so that tokens with invented `kid`s cause few of them.
const MIN_FETCH_INTERVAL: TimeDelta = TimeDelta::seconds(30);

/// A key for signatures, with the one algorithm that it may verify.
#[derive(Clone)]
pub(super) struct VerificationKey {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

#[derive(Deserialize)]
struct KeySetDocument {
    keys: Vec<Value>,
}

#[derive(Default)]
struct CachedKeys {
    keys: Vec<VerificationKey>,
    /// The time of the last attempt to read them.
    attempted_at: Option<DateTime<Utc>>,
}

/// The keys of one provider.
#[derive(Default)]
pub(super) struct ProviderKeys(Mutex<CachedKeys>);

impl ProviderKeys {
    /// Reads the set again. After a failure the known keys stay.
    pub(super) async fn refresh(&self, http: &ProviderHttp, url: &Url, now: DateTime<Utc>) -> Result<(), FetchError> {
        // Not held while the set is read, so that sign-ins with known keys go on.
        let keys = fetch_keys(http, url).await?;
        *self.0.lock().await = CachedKeys { keys, attempted_at: Some(now) };
        Ok(())
    }

    /// The key with this id; without an id, the only key of the algorithm. `None` when the set has no such key.
    ///
    /// Fails when the set has to be read and cannot be.
    pub(super) async fn find(
        &self,
        http: &ProviderHttp,
        url: &Url,
        id: Option<&str>,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<Option<VerificationKey>, FetchError> {
        // Held while the set is read, so that concurrent sign-ins read it once.
        let mut cached = self.0.lock().await;
        if let Some(key) = cached.find(id, algorithm) {
            return Ok(Some(key));
        }
        let is_recent = cached.attempted_at.is_some_and(|at| now < at + MIN_FETCH_INTERVAL);
        if is_recent {
            return if cached.keys.is_empty() { Err(FetchError::NotDiscovered) } else { Ok(None) };
        }
        cached.attempted_at = Some(now);
        cached.keys = fetch_keys(http, url).await?;
        Ok(cached.find(id, algorithm))
    }
}

impl CachedKeys {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<VerificationKey> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        if let Some(id) = id {
            return fitting.find(|key| key.id.as_deref() == Some(id)).cloned();
        }
        let only = fitting.next()?;
        fitting.next().is_none().then(|| only.clone())
    }
}

async fn fetch_keys(http: &ProviderHttp, url: &Url) -> Result<Vec<VerificationKey>, FetchError> {
    let document: KeySetDocument = fetch_json(http, http.request(Method::GET, url.clone()), MAX_KEY_SET).await?;
    Ok(document.keys.into_iter().take(MAX_KEYS).filter_map(verification_key).collect())
}

/// The key of a member of the set; `None` for keys of other algorithms or uses.
fn verification_key(member: Value) -> Option<VerificationKey> {
    let jwk: Jwk = serde_json::from_value(member).ok()?;
    if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(parameters) if rsa_bytes(&parameters.n) >= MIN_RSA_BYTES => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(parameters)
            if parameters.curve == EllipticCurve::Ed25519 && parameters.x.len() == ED25519_LENGTH =>
        {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let declared = jwk.common.key_algorithm.map(|declared| declared.to_string());
    if declared.is_some_and(|declared| declared != format!("{algorithm:?}")) {
        return None;
    }
    Some(VerificationKey { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id, algorithm })
}

/// The length of a modulus in base64url.
fn rsa_bytes(modulus: &str) -> usize {
    modulus.len() * 3 / 4
}
