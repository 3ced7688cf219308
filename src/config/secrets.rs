//! `SECRET_KEY`, the keys before it, and the key of internal services.

use std::fmt;

use super::{mode::Mode, reader::Reader};
use crate::domain::{key::KeyRing, secret::Secret};

/// The least `SECRET_KEY` must have: HMAC-SHA-256's own strength.
const LEAST_BYTES: usize = 32;

/// Values from published examples, which everybody knows.
const SAMPLES: &[&str] = &[
    // Dify's docker/.env.example and api/.env.example.
    "sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U",
    "QaHbTe77CtuXmsfyhR7+vRjI/+XbV1AaFy691iy+kGDv2Jvy0/eAh8Y1",
    "lYkiYYT6owG+71oLerGzA7GXCgOT++6ovaezWAjpCjf+Sjc3ZtU+qUEi",
    "dify-sandbox",
    "difyai123456",
    "dify-123456",
    "dev-secret-key",
    "your-secret-key",
    "your_secret_key",
    "secret-key",
    "secret",
    "changeme",
    "change-me",
];

/// Whether everybody knows this secret.
fn is_sample(secret: &Secret) -> bool {
    SAMPLES.iter().any(|sample| sample.eq_ignore_ascii_case(secret.expose()))
}

/// An earlier `SECRET_KEY`, still accepted.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    /// Its name, for people.
    pub kid: String,
    /// The key.
    pub secret: Secret,
}

/// The secrets of this deployment.
#[derive(Clone)]
pub struct Secrets {
    /// What JWTs are signed under and every key at rest is derived from.
    pub secret_key: Secret,
    /// Earlier keys, in the order given (newest first).
    pub previous: Vec<PreviousKey>,
    /// The service credential of internal callers; without it their methods are absent.
    pub inner_api_key: Option<Secret>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("previous", &self.previous)
            .field("inner_api_key", &self.inner_api_key)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// Reads the section. `generated` is the key `dev` keeps for itself when the environment names none.
    pub(super) fn read(reader: &mut Reader<'_>, mode: Mode, generated: Option<Secret>) -> Self {
        let development = mode.is_development();
        let secret_key = match reader.secret("SECRET_KEY") {
            Some(secret) => {
                check_secret_key(reader, &secret, development);
                secret
            }
            None => generated.unwrap_or_else(|| {
                reader.problem("SECRET_KEY", "is not set; generate one with `openssl rand -base64 42` and keep it");
                Secret::new("")
            }),
        };
        let inner_api_key = reader.secret("INNER_API_KEY");
        if let Some(key) = &inner_api_key {
            if is_sample(key) && !development {
                reader.problem(
                    "INNER_API_KEY",
                    "is a well-known sample; generate your own with `openssl rand -base64 42`",
                );
            } else if key.expose().len() < 16 {
                reader
                    .warning("INNER_API_KEY", "is shorter than 16 bytes; generate one with `openssl rand -base64 42`");
            }
        }
        Self { secret_key, previous: read_previous(reader), inner_api_key }
    }

    /// The keys as the domain uses them.
    pub fn key_ring(&self) -> KeyRing {
        KeyRing::new(self.secret_key.clone(), self.previous.iter().map(|key| key.secret.clone()).collect())
    }
}

fn check_secret_key(reader: &mut Reader<'_>, secret: &Secret, development: bool) {
    let fault = if is_sample(secret) {
        "is a well-known sample; generate your own with `openssl rand -base64 42`"
    } else if secret.expose().len() < LEAST_BYTES {
        "is shorter than 32 bytes; generate one with `openssl rand -base64 42`"
    } else {
        return;
    };
    if development {
        reader.warning("SECRET_KEY", format_args!("{fault} before anyone else uses this server"));
    } else {
        reader.problem("SECRET_KEY", fault);
    }
}

fn read_previous(reader: &mut Reader<'_>) -> Vec<PreviousKey> {
    const NAME: &str = "SECRET_KEYS_PREVIOUS";
    let mut keys: Vec<PreviousKey> = Vec::new();
    for (index, part) in reader.list(NAME).unwrap_or_default().into_iter().enumerate() {
        let place = index + 1;
        match part.split_once(':') {
            Some((kid, secret)) if !kid.trim().is_empty() && !secret.trim().is_empty() => {
                let kid = kid.trim().to_owned();
                if keys.iter().any(|key| key.kid == kid) {
                    reader.problem(NAME, format_args!("names the key `{kid}` twice; give each key its own name"));
                } else {
                    keys.push(PreviousKey { kid, secret: Secret::new(secret.trim()) });
                }
            }
            // The part is not quoted: without a colon it may be the secret itself.
            _ => reader.problem(
                NAME,
                format_args!("has an entry, number {place}, that is not `kid:secret`; write kid:secret,kid:secret"),
            ),
        }
    }
    keys
}
