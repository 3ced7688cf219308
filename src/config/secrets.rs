//! `SECRET_KEY`, its previous values, and the service key.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    mode::Mode,
    reader::Reader,
    secret_strength::MinStrength,
    settings::{
        INIT_PASSWORD, INNER_API_KEY, SECRET_KEY, SECRET_KEY_NEXT, SECRET_KEY_ROTATED_AT, SECRET_KEYS_PREVIOUS, Setting,
    },
};
use crate::domain::{
    key::{KeyRing, ReplacedSecret},
    secret::Secret,
};

const HOW_TO_GENERATE: &str = "generate one with `openssl rand -base64 42`";
/// The clocks of machines may differ by this time.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);
/// How far ahead the end of a rollout may be, until which replicas with the replaced key go on.
const MAX_ROLLOUT: TimeDelta = TimeDelta::hours(1);

/// An earlier value of `SECRET_KEY`.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    /// The operator's name of the key.
    pub kid: String,
    pub secret: Secret,
}

#[derive(Clone)]
pub struct Secrets {
    /// JWTs are signed with it, and all keys derive from it.
    pub secret_key: Secret,
    /// Will replace it.
    pub next: Option<Secret>,
    /// Newest first.
    pub previous: Vec<PreviousKey>,
    /// The time since which the newest previous key is not in use.
    pub rotated_at: Option<DateTime<Utc>>,
    /// The service key. Without it, the methods for internal services are not served.
    pub inner_api_key: Option<Secret>,
    /// The password that the setup of the first administrator requires.
    pub init_password: Option<Secret>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("previous", &self.previous)
            .field("rotated_at", &self.rotated_at)
            .field("inner_api_key", &self.inner_api_key)
            .field("init_password", &self.init_password)
            .finish_non_exhaustive()
    }
}

impl Secrets {
    /// `generated` is the secret key of `dev`, which applies if the environment has none.
    pub(super) fn read(reader: &mut Reader<'_>, mode: Mode, generated: Option<Secret>, now: DateTime<Utc>) -> Self {
        let mut check = StrengthCheck { reader, development: mode.is_development() };
        let secret_key = match check.reader.secret(&SECRET_KEY) {
            Some(secret) => {
                check.own_secret(&SECRET_KEY, &secret, MinStrength::SIGNING_KEY);
                secret
            }
            None => generated.unwrap_or_else(|| {
                check.reader.problem(&SECRET_KEY, format_args!("is not set; {HOW_TO_GENERATE} and keep it"));
                Secret::new("")
            }),
        };
        let next = check.reader.secret(&SECRET_KEY_NEXT);
        if let Some(secret) = &next {
            check.own_secret(&SECRET_KEY_NEXT, secret, MinStrength::SIGNING_KEY);
            if secret.expose() == secret_key.expose() {
                check.reader.problem(&SECRET_KEY_NEXT, "is SECRET_KEY itself; remove it once the key is replaced");
            }
        }
        let inner_api_key = check.reader.secret(&INNER_API_KEY);
        if let Some(key) = &inner_api_key {
            check.own_secret(&INNER_API_KEY, key, MinStrength::CREDENTIAL);
        }
        let init_password = check.reader.secret(&INIT_PASSWORD);
        if let Some(weakness) = init_password.as_ref().and_then(|secret| MinStrength::CREDENTIAL.weakness(secret)) {
            // It is needed once, and attempts are limited.
            check.reader.warning(&INIT_PASSWORD, format_args!("{weakness}; choose another before the setup"));
        }
        let previous = read_previous(&mut check);
        let rotated_at = read_rotated_at(reader, &previous, now);
        Self { secret_key, next, previous, rotated_at, inner_api_key, init_password }
    }

    pub fn key_ring(&self) -> KeyRing {
        let previous: Vec<_> = self.previous.iter().map(|key| key.secret.clone()).collect();
        let replaced = previous.first().cloned().zip(self.rotated_at);
        let ring = KeyRing::new(self.secret_key.clone(), previous)
            .with_key_ids(self.previous.iter().map(|key| key.kid.clone()))
            .with_next(self.next.clone());
        match replaced {
            Some((secret, at)) => ring.with_replaced(ReplacedSecret { secret, at }),
            None => ring,
        }
    }
}

/// Reports weak secrets: as problems, or as warnings in development.
struct StrengthCheck<'a, 'env> {
    reader: &'a mut Reader<'env>,
    development: bool,
}

impl StrengthCheck<'_, '_> {
    /// Checks a secret that the operator chooses.
    fn own_secret(&mut self, setting: &'static Setting, secret: &Secret, min: MinStrength) {
        if let Some(weakness) = min.weakness(secret) {
            self.report(setting, &format!("{weakness}; {HOW_TO_GENERATE}"));
        }
    }

    fn report(&mut self, setting: &'static Setting, sentence: &str) {
        if self.development {
            self.reader.warning(setting, format_args!("{sentence} before anyone else uses this server"));
        } else {
            self.reader.problem(setting, sentence);
        }
    }
}

fn read_previous(check: &mut StrengthCheck<'_, '_>) -> Vec<PreviousKey> {
    let mut keys: Vec<PreviousKey> = Vec::new();
    for (index, part) in check.reader.list(&SECRET_KEYS_PREVIOUS).into_iter().enumerate() {
        let place = index + 1;
        match part.split_once(':') {
            Some((kid, secret)) if !kid.trim().is_empty() && !secret.trim().is_empty() => {
                let key = PreviousKey { kid: kid.trim().to_owned(), secret: Secret::new(secret.trim()) };
                if keys.iter().any(|other| other.kid == key.kid) {
                    check.reader.problem(
                        &SECRET_KEYS_PREVIOUS,
                        format_args!("names the key `{}` twice; give each key its own name", key.kid),
                    );
                    continue;
                }
                if let Some(weakness) = MinStrength::SIGNING_KEY.weakness(&key.secret) {
                    let kid = &key.kid;
                    check.report(
                        &SECRET_KEYS_PREVIOUS,
                        &format!("has the key `{kid}`, which {weakness}; remove it, because anyone could use it"),
                    );
                }
                keys.push(key);
            }
            // The part is not quoted, because without a colon it may be the secret.
            _ => check.reader.problem(
                &SECRET_KEYS_PREVIOUS,
                format_args!("has an entry, number {place}, that is not `kid:secret`; write kid:secret,kid:secret"),
            ),
        }
    }
    keys
}

fn read_rotated_at(reader: &mut Reader<'_>, previous: &[PreviousKey], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = reader.text(&SECRET_KEY_ROTATED_AT)?;
    let Ok(at) = DateTime::parse_from_rfc3339(&text) else {
        reader.problem(&SECRET_KEY_ROTATED_AT, format_args!("is `{text}`; write a time like 2026-11-20T08:00:00Z"));
        return None;
    };
    let at = at.to_utc();
    if at > now + MAX_ROLLOUT + CLOCK_TOLERANCE {
        reader.problem(
            &SECRET_KEY_ROTATED_AT,
            format_args!(
                "is `{text}`, which is more than an hour ahead; set it to the time when SECRET_KEY was replaced, or to the \
                 end of the rollout that replaces it"
            ),
        );
    } else if previous.is_empty() {
        reader.warning(&SECRET_KEY_ROTATED_AT, "has no effect without SECRET_KEYS_PREVIOUS; remove it");
    }
    Some(at)
}
