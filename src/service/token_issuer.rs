//! Issues tokens at an operator's command, for programs that cannot sign in with a browser. Their sessions are those of
//! approved devices: the same limits, rotation, retention and revocation (contract section 3).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    context::ServiceContext,
    device_flow::{bearer_auth_disabled, checked_label},
    invalidation::Invalidations,
    session_mint::mint_session,
    token_lifetime::TokenLifetimes,
};
use crate::{
    domain::{
        Code, Error, Result,
        account::Account,
        client_commands::OPERATOR_CLIENT_ID,
        id::TokenId,
        scope,
        secret::BearerToken,
        session::NewSession,
        subject::{Subject, SubjectType},
    },
    telemetry::{audit::AuditEvent, metrics::RevokeReason},
};

/// The range of requested lifetimes. Its end is that of `OAUTH_TTL_DAYS`.
const LIFETIMES: std::ops::RangeInclusive<TimeDelta> = TimeDelta::minutes(1)..=TimeDelta::days(365);

#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenIssuerSettings {
    /// Whether bearer tokens are accepted. Without them none are issued.
    pub bearers_enabled: bool,
    pub enterprise: bool,
}

#[derive(Clone)]
pub(crate) struct TokenIssuer {
    context: ServiceContext,
    invalidations: Arc<Invalidations>,
    token_lifetimes: TokenLifetimes,
    settings: TokenIssuerSettings,
}

/// A token and its session.
pub(crate) struct IssuedToken {
    pub token: BearerToken,
    pub token_id: TokenId,
    pub account: Account,
    pub label: String,
    pub expires_at: DateTime<Utc>,
    /// Whether the session of this label got the new token. Its previous token has ended.
    pub rotated: bool,
}

impl TokenIssuer {
    pub(crate) fn new(
        context: ServiceContext,
        invalidations: Arc<Invalidations>,
        token_lifetimes: TokenLifetimes,
        settings: TokenIssuerSettings,
    ) -> Self {
        Self { context, invalidations, token_lifetimes, settings }
    }

    /// Issues a token for the account with this email address. Without a lifetime it has the one of a device's token.
    ///
    /// Fails with `bearer_auth_disabled`, `not_found`, `access_denied` for an account that is not active,
    /// `invalid_request` or `invalid_param` for a wrong label or lifetime, `mint_policy_violation` for a lifetime over
    /// the policy of the account's workspace.
    pub(crate) async fn issue(&self, email: &str, label: &str, lifetime: Option<TimeDelta>) -> Result<IssuedToken> {
        if !self.settings.bearers_enabled {
            return Err(bearer_auth_disabled());
        }
        scope::check_mint(SubjectType::Account, scope::scopes_of(SubjectType::Account), self.settings.enterprise)?;
        let label = checked_label(label)?;
        if label.is_empty() {
            return Err(Error::missing("label"));
        }
        let Some(login) = self.context.sql.find_login(email).await? else {
            return Err(Error::not_found("No account has this email address."));
        };
        let account = login.account;
        let lifetime = self.lifetime(&account, lifetime).await?;

        let token = BearerToken::mint(SubjectType::Account, &self.context.entropy.array()?);
        let now = self.context.clock.now();
        let session = NewSession {
            subject: Subject::Account { id: account.id, email: account.email.clone() },
            client_id: OPERATOR_CLIENT_ID.to_owned(),
            device_label: label.clone(),
            hash: token.hash(),
            display_prefix: token.display_prefix().to_owned(),
            created_at: now,
            expires_at: now + lifetime,
            created_ip: String::new(),
            user_agent: None,
        };
        let minted = mint_session(&self.context, &self.invalidations, &session).await?;
        let rotated = minted.rotated.is_some();
        self.context.metrics.minted(SubjectType::Account);
        self.context.metrics.revoked(RevokeReason::Rotated, u64::from(rotated));
        AuditEvent::TokenIssued {
            subject: &session.subject,
            client_id: &session.client_id,
            device_label: &session.device_label,
            rotated,
            expires_at: session.expires_at,
            token_id: minted.token_id,
        }
        .record();
        let (token_id, expires_at) = (minted.token_id, session.expires_at);
        Ok(IssuedToken { token, token_id, account, label, expires_at, rotated })
    }

    async fn lifetime(&self, account: &Account, requested: Option<TimeDelta>) -> Result<TimeDelta> {
        let Some(requested) = requested else { return self.token_lifetimes.of_account(account.id).await };
        if !LIFETIMES.contains(&requested) {
            return Err(Error::new(Code::InvalidParam, "A token lives from one minute to 365 days."));
        }
        match self.token_lifetimes.policy_of(account.id).await? {
            Some(longest) if requested > longest => Err(Error::new(
                Code::MintPolicyViolation,
                format!("Tokens of this account's workspace live at most {} minutes.", longest.num_minutes()),
            )
            .with_hint("Choose a shorter lifetime.")),
            _ => Ok(requested),
        }
    }
}
