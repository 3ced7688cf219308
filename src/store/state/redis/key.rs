//! The names of everything kept in Redis. What one script touches lies in one slot of a cluster.

use crate::domain::{
    limit::{Charge, LimitName},
    secret::{DeviceCodeHash, TokenHash, UserCodeKey},
};

/// Builds keys behind the configured prefix.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// `prefix:` or nothing.
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: Option<&str>) -> Self {
        Self {
            prefix: prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("{prefix}:")).unwrap_or_default(),
        }
    }

    fn join(&self, parts: &[&str]) -> String {
        let mut key = String::with_capacity(self.prefix.len() + parts.iter().map(|part| part.len()).sum::<usize>());
        key.push_str(&self.prefix);
        for part in parts {
            key.push_str(part);
        }
        key
    }

    pub(super) fn grant(&self, device_code: &DeviceCodeHash) -> String {
        self.grant_of(device_code.expose())
    }

    pub(super) fn grant_of(&self, device_hash: &str) -> String {
        self.join(&["openapi:grant:{", device_hash, "}"])
    }

    pub(super) fn user_code(&self, user_code: &UserCodeKey) -> String {
        self.join(&["openapi:user_code:", user_code.expose()])
    }

    /// A limit's bucket. The per-token one is the very bucket that reading the token's entry charges.
    pub(super) fn bucket(&self, charge: &Charge) -> String {
        if charge.name == LimitName::Token {
            return Self::token_bucket(&self.join(&["auth:token:", &charge.key]));
        }
        self.join(&["openapi:rl:{", charge.name.as_str(), ":", &charge.key, "}"])
    }

    /// The token's cache entry; the name is Dify's.
    pub(super) fn token(&self, hash: &TokenHash) -> String {
        self.join(&["auth:token:", hash.expose()])
    }

    /// The bucket beside a cache entry: the whole key is the hash tag, so both share a slot.
    pub(super) fn token_bucket(entry: &str) -> String {
        let mut key = String::with_capacity(entry.len() + 5);
        key.push_str("rl:{");
        key.push_str(entry);
        key.push('}');
        key
    }

    /// One slot for all login counters: an attempt is counted against several of them at once.
    pub(super) fn login(&self, key: &str) -> String {
        self.join(&["openapi:{logins}:", key])
    }

    pub(super) fn lease(&self, job: &str) -> String {
        self.join(&["openapi:lease:", job])
    }

    pub(super) fn slots(&self, key: &str) -> String {
        self.join(&["openapi:slots:", key])
    }

    /// A key nobody writes, for asking whether Redis answers.
    pub(super) fn probe(&self) -> String {
        self.join(&["openapi:probe"])
    }
}
