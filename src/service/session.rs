//! Lists and revokes the sessions of a subject. A revocation is in force on every replica before its response.

use std::sync::Arc;

use super::{
    context::ServiceContext, device_flow::checked_label, invalidation::Invalidations, uncancelled::run_uncancelled,
};
use crate::{
    domain::{
        Error, Result,
        caller::Caller,
        id::TokenId,
        page::{Page, PageRequest},
        secret::{BearerToken, inactive_account},
        session::{RevokedSession, Session},
        subject::Subject,
    },
    ports::state_stores::StateHealth,
    telemetry::{audit::AuditEvent, metrics::RevokeReason},
};

#[derive(Clone)]
pub struct Sessions {
    context: ServiceContext,
    health: Arc<dyn StateHealth>,
    invalidations: Arc<Invalidations>,
}

impl Sessions {
    pub fn new(context: ServiceContext, health: Arc<dyn StateHealth>, invalidations: Arc<Invalidations>) -> Self {
        Self { context, health, invalidations }
    }

    /// A page of live sessions, newest first. Fails with `inactive_account` unless the account is active.
    pub async fn list(&self, subject: &Subject, page: PageRequest) -> Result<Page<Session>> {
        let (active, page) = self.context.sql.list_sessions(subject, page, self.context.clock.now()).await?;
        if active { Ok(page) } else { Err(inactive_account()) }
    }

    /// One live session of the subject. Fails with `not_found` for all others.
    pub async fn find(&self, subject: &Subject, id: &str) -> Result<Session> {
        let id: TokenId = id.parse().map_err(|_| unknown())?;
        self.context.sql.find_session(subject, id, self.context.clock.now()).await?.ok_or_else(unknown)
    }

    /// Revokes one live session of the subject. Fails with `not_found` for all others.
    pub async fn revoke(&self, subject: &Subject, id: &str) -> Result<()> {
        let id: TokenId = id.parse().map_err(|_| unknown())?;
        let (sessions, subject) = (self.clone(), subject.clone());
        run_uncancelled(async move { sessions.end(&subject, id).await }).await
    }

    async fn end(&self, subject: &Subject, id: TokenId) -> Result<()> {
        if let Some(account) = subject.account_id() {
            self.context.require_active(account).await?;
        }
        if self.invalidations.is_session_queued(id) && self.context.sql.owns_session(subject, id).await? {
            return self.invalidations.invalidate_queued(id).await;
        }
        let Some(revoked) = self.context.sql.revoke_session(subject, id, self.context.clock.now()).await? else {
            // Another replica may have revoked it and may not reach the cache, where its token is still live.
            match self.context.sql.find_ended_hash(subject, id).await? {
                Some(hash) => self.invalidations.invalidate(&hash).await?,
                None => self.health.ping().await?,
            }
            return Err(unknown());
        };
        self.publish(subject, revoked).await
    }

    /// Names one live session of the subject. Fails with `not_found` for all others, and with `invalid_request` for a
    /// name that a device could not give itself.
    pub async fn rename(&self, subject: &Subject, id: &str, name: &str) -> Result<()> {
        let id: TokenId = id.parse().map_err(|_| unknown())?;
        let name = checked_label(name)?;
        if name.is_empty() {
            return Err(Error::missing("device_label"));
        }
        if let Some(account) = subject.account_id() {
            self.context.require_active(account).await?;
        }
        if !self.context.sql.name_session(subject, id, &name, self.context.clock.now()).await? {
            return Err(unknown());
        }
        AuditEvent::SessionRenamed { token_id: id, by: subject.email(), device_label: &name }.record();
        Ok(())
    }

    /// Revokes the session of the request's token. A session that has another token by now, because the device has
    /// signed in again, is not revoked.
    pub async fn revoke_current(&self, caller: &Caller) -> Result<()> {
        let (sessions, caller) = (self.clone(), caller.clone());
        run_uncancelled(async move { sessions.end_current(&caller).await }).await
    }

    async fn end_current(&self, caller: &Caller) -> Result<()> {
        let subject = &caller.token.subject;
        if let Some(account) = subject.account_id() {
            self.context.require_active(account).await?;
        }
        if self.invalidations.is_queued(&caller.hash) {
            return self.invalidations.invalidate(&caller.hash).await;
        }
        let Some(revoked) = self.context.sql.revoke_by_hash(&caller.hash, self.context.clock.now()).await? else {
            // Another replica may have revoked it and may not reach the cache.
            self.invalidations.invalidate(&caller.hash).await?;
            return Err(unknown());
        };
        self.publish(subject, revoked).await
    }

    async fn publish(&self, subject: &Subject, revoked: RevokedSession) -> Result<()> {
        AuditEvent::SessionRevoked { token_id: revoked.token_id, by: subject.email() }.record();
        self.context.metrics.revoked(RevokeReason::Owner, 1);
        self.invalidations.invalidate_sessions(&[revoked]).await
    }

    /// Revokes every session of the subject except one. Returns the number of revoked sessions.
    pub async fn revoke_all(&self, subject: &Subject, except: Option<TokenId>) -> Result<usize> {
        let (sessions, subject) = (self.clone(), subject.clone());
        run_uncancelled(async move { sessions.end_all(&subject, except).await }).await
    }

    async fn end_all(&self, subject: &Subject, except: Option<TokenId>) -> Result<usize> {
        let revoked = self.context.sql.revoke_all_sessions(subject, except, self.context.clock.now()).await?;
        for session in &revoked {
            AuditEvent::SessionRevoked { token_id: session.token_id, by: subject.email() }.record();
        }
        self.context.metrics.revoked(RevokeReason::Owner, revoked.len() as u64);
        self.invalidations.invalidate_sessions(&revoked).await?;
        Ok(revoked.len())
    }

    /// Revokes the session of a token (RFC 7009). Succeeds for a token that is unknown, malformed or already revoked.
    pub async fn revoke_token(&self, token: &str) -> Result<()> {
        let Ok(token) = BearerToken::parse(token) else { return Ok(()) };
        let (sessions, hash) = (self.clone(), token.hash());
        run_uncancelled(async move {
            if let Some(revoked) = sessions.context.sql.revoke_by_hash(&hash, sessions.context.clock.now()).await? {
                AuditEvent::SessionRevoked { token_id: revoked.token_id, by: "the token's holder" }.record();
                sessions.context.metrics.revoked(RevokeReason::Owner, 1);
            }
            sessions.invalidations.invalidate(&hash).await
        })
        .await
    }
}

fn unknown() -> Error {
    Error::not_found("There is no such session.").with_hint("GET /openapi/v1/account/sessions lists your sessions.")
}
