//! Passwords: new ones are hashed with Argon2id, and Dify's PBKDF2 hashes are verified. Hashing runs on blocking
//! threads with limited concurrency, so that logins do not delay other requests.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::sync::Semaphore;

use crate::domain::{
    Error, Result,
    secret::{Secret, constant_time_eq, hex},
};

/// OWASP's second recommendation for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Rounds of Dify's PBKDF2-HMAC-SHA256.
const DIFY_ROUNDS: u32 = 10_000;
/// Limit of concurrent hashes, each of which uses 19 MiB and a core. On small machines half of the cores is the limit.
const CONCURRENCY: usize = 8;
/// Limit of waiting logins. Beyond it, the response is 503.
const QUEUE: usize = 64;

/// A stored password: a PHC string of this service, or Dify's hex digest and salt, both in base64.
pub struct Stored {
    /// `accounts.password`.
    pub hash: Secret,
    /// `accounts.password_salt`; null for a PHC string.
    pub salt: Option<Secret>,
}

#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = (cores / 2).clamp(1, CONCURRENCY);
        Self { turns: Arc::new(Semaphore::new(turns)), queue: Arc::new(Semaphore::new(QUEUE)) }
    }
}

impl Passwords {
    /// Verifies a password. Takes the same time without a stored password, so that the time does not reveal accounts.
    pub async fn verify(&self, password: Secret, stored: Option<Stored>) -> Result<bool> {
        self.off_thread(move || Ok(verify(&password, stored.as_ref()))).await
    }

    /// Returns the PHC string of a new password.
    pub async fn hash(&self, password: Secret) -> Result<Secret> {
        self.off_thread(move || hash(&password)).await
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _place = self.queue.try_acquire().map_err(|_| Error::unavailable("too many logins at once"))?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(Error::internal)?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(Error::internal)?
    }
}

/// The reason why a new password is not acceptable, for its owner.
pub(crate) fn unacceptable(password: &str) -> Option<&'static str> {
    if password.chars().count() < 8 {
        Some("A password needs at least 8 characters.")
    } else if password.len() > 1024 {
        Some("A password may be at most 1024 bytes long.")
    } else {
        None
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &Secret) -> Result<Secret> {
    let hash =
        argon2()?.hash_password(password.expose().as_bytes()).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Secret::new(hash.to_string()))
}

/// Computes hashes of both kinds, so that the time reveals neither the kind nor whether a password is stored.
fn verify(password: &Secret, stored: Option<&Stored>) -> bool {
    let ours = match stored {
        Some(Stored { hash, salt: None }) => PasswordHash::new(hash.expose()).ok(),
        _ => None,
    };
    let ours = if let Some(parsed) = ours {
        Argon2::default().verify_password(password.expose().as_bytes(), &parsed).is_ok()
    } else {
        let _ = hash_only(password);
        false
    };
    let difys = if let Some(Stored { hash, salt: Some(salt) }) = stored {
        verify_dify(password, hash, salt)
    } else {
        let _ = dify_digest(password, b"no such account.");
        false
    };
    ours || difys
}

/// Takes the time of a verification.
fn hash_only(password: &Secret) -> Result<()> {
    let mut out = [0; 32];
    argon2()?
        .hash_password_into(password.expose().as_bytes(), b"no such account.", &mut out)
        .map_err(|error| Error::internal(error.to_string()))
}

fn verify_dify(password: &Secret, hash: &Secret, salt: &Secret) -> bool {
    let (Ok(stored), Ok(salt)) = (STANDARD.decode(hash.expose()), STANDARD.decode(salt.expose())) else { return false };
    constant_time_eq(dify_digest(password, &salt).as_bytes(), &stored)
}

fn dify_digest(password: &Secret, salt: &[u8]) -> String {
    let mut digest = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.expose().as_bytes(), salt, DIFY_ROUNDS, &mut digest);
    hex(&digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Dify 1.13.3 stored this for the password `Passw0rd1`.
    const DIFY_HASH: &str = "NGQ5YzA2OWFmMjdlNmI0NGQ4YzdiZDc1MmNhNThkZGFhNWQ2MzM0YzMwYzA2YTQzNjUwMTgzNWI0ZjQ4ZGNjNw==";
    const DIFY_SALT: &str = "AfiG2C9kM3a5NJmmp0/FJw==";

    #[tokio::test]
    async fn a_new_password_verifies_and_another_does_not() {
        let passwords = Passwords::default();
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$"));
        let stored = || Some(Stored { hash: hash.clone(), salt: None });
        assert!(passwords.verify(Secret::new("correct horse"), stored()).await.unwrap());
        assert!(!passwords.verify(Secret::new("wrong horse"), stored()).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct horse"), None).await.unwrap());
    }

    #[test]
    fn a_row_that_dify_wrote_verifies() {
        let stored = Stored { hash: Secret::new(DIFY_HASH), salt: Some(Secret::new(DIFY_SALT)) };
        assert!(verify(&Secret::new("Passw0rd1"), Some(&stored)));
        assert!(!verify(&Secret::new("passw0rd1"), Some(&stored)));
    }
}
