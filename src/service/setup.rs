//! The setup of a standalone server: `INIT_PASSWORD`, then the first administrator (contract section C2).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    context::ServiceContext,
    password::{Passwords, unacceptable},
};
use crate::{
    domain::{
        Code, Error, Result,
        caller::ClientAddress,
        email::normalize_email,
        key::KeyRing,
        secret::{Secret, constant_time_eq, sha256_hex},
        setup::{NewAdministrator, SetupState, already_set_up},
        text::visible_name,
    },
    telemetry::audit::setup::SetupEvent,
};

/// How long `INIT_PASSWORD` counts once it was given.
pub(crate) const PROOF_LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// The longest name of the first administrator, in characters, as in Dify.
const MAX_NAME: usize = 30;
/// The longest language tag.
const MAX_LANGUAGE: usize = 16;

/// The first administrator, as it is entered.
#[derive(Debug)]
pub struct EnteredAdministrator<'a> {
    pub email: &'a str,
    pub name: &'a str,
    pub password: Secret,
    pub language: Option<&'a str>,
}

/// Sets the server up, once.
#[derive(Clone)]
pub struct Setup {
    context: ServiceContext,
    passwords: Passwords,
    keys: Arc<KeyRing>,
    /// `INIT_PASSWORD`. Without it, the first caller sets the server up.
    init_password: Option<Secret>,
}

impl Setup {
    pub fn new(
        context: ServiceContext,
        passwords: Passwords,
        keys: Arc<KeyRing>,
        init_password: Option<Secret>,
    ) -> Self {
        Self { context, passwords, keys, init_password }
    }

    /// Whether the server is set up.
    pub async fn state(&self) -> Result<SetupState> {
        self.context.sql.setup_state().await
    }

    /// Whether the holder of the cookie may set the server up, or it is set up already.
    pub async fn is_validated(&self, proof: Option<&str>) -> Result<bool> {
        Ok(self.may_set_up(proof) || self.state().await? != SetupState::NotStarted)
    }

    /// Checks `INIT_PASSWORD`. Returns a proof for a cookie. Fails with `already_setup` and `init_validate_failed`.
    pub async fn validate(&self, password: &Secret) -> Result<Secret> {
        self.require_not_started().await?;
        let Some(expected) = &self.init_password else {
            return Err(Error::new(Code::InitValidateFailed, "This server has no INIT_PASSWORD.")
                .with_hint("POST /console/api/setup needs none."));
        };
        // The hashes have one length, so that the time does not depend on that of the secret.
        let [given, expected] = [password, expected].map(|secret| sha256_hex(secret.expose().as_bytes()));
        if !constant_time_eq(given.as_bytes(), expected.as_bytes()) {
            SetupEvent::InitPasswordRejected.record();
            return Err(Error::new(Code::InitValidateFailed, "INIT_PASSWORD is wrong.")
                .with_hint("It is a variable of the server's environment."));
        }
        let expires = (self.context.clock.now() + PROOF_LIFETIME).timestamp();
        Ok(Secret::new(format!("{expires}.{}", self.keys.init_proof_signature(expires))))
    }

    /// Creates the first administrator with a workspace. Of several at once one is created; the others fail with
    /// `already_setup`. Fails with `not_init_validated` without a valid proof, and with `invalid_param`.
    pub async fn set_up(
        &self,
        entered: EnteredAdministrator<'_>,
        proof: Option<&str>,
        address: ClientAddress,
    ) -> Result<()> {
        self.require_not_started().await?;
        if !self.may_set_up(proof) {
            return Err(Error::new(Code::NotInitValidated, "INIT_PASSWORD has not been given.")
                .with_hint("POST it to /console/api/init first, and keep the cookie."));
        }
        let invalid = |member: &str, reason: &str| Error::invalid_param("body", member, reason.to_owned());
        let email = normalize_email(entered.email).map_err(|reason| invalid("email", reason))?;
        let name = visible_name(entered.name).map_err(|reason| invalid("name", &reason.to_string()))?;
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(invalid("name", &format!("must have 1 to {MAX_NAME} characters")));
        }
        if let Some(reason) = unacceptable(entered.password.expose()) {
            return Err(invalid("password", reason));
        }
        let language = entered.language.filter(|tag| !tag.is_empty());
        let is_tag = |tag: &str| {
            tag.len() <= MAX_LANGUAGE && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if language.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid("language", "must be a language tag, such as en-US"));
        }
        let password_hash = self.passwords.hash_for(address, entered.password).await?;
        let administrator = NewAdministrator {
            email: &email,
            name: &name,
            password_hash: &password_hash,
            language,
            workspace_name: &format!("{name}'s Workspace"),
        };
        let result = self.context.sql.set_up(&administrator, self.context.clock.now()).await?;
        SetupEvent::Completed { account_id: result.account, tenant_id: result.workspace }.record();
        Ok(())
    }

    async fn require_not_started(&self) -> Result<()> {
        match self.state().await? {
            SetupState::NotStarted => Ok(()),
            SetupState::Finished { .. } => Err(already_set_up()),
        }
    }

    fn may_set_up(&self, proof: Option<&str>) -> bool {
        self.init_password.is_none() || proof.is_some_and(|proof| self.holds(proof, self.context.clock.now()))
    }

    /// Whether a proof is genuine and has not expired. Proofs under a replaced key do not count.
    fn holds(&self, proof: &str, now: DateTime<Utc>) -> bool {
        let Some((expires, signature)) = proof.split_once('.') else { return false };
        let Ok(expires) = expires.parse::<i64>() else { return false };
        let expected = self.keys.init_proof_signature(expires);
        now.timestamp() < expires && constant_time_eq(expected.as_bytes(), signature.as_bytes())
    }
}
