//! Sessions of a subject: listing them and ending them. A revocation is in force on every replica before it is answered.

use std::sync::Arc;

use super::{context::ServiceContext, invalidation::Invalidations, uncancelled::run_uncancelled};
use crate::{
    domain::{
        Error, Result,
        caller::Caller,
        id::TokenId,
        page::{Page, PageRequest},
        secret::{BearerToken, bearer_invalid},
        session::Session,
        subject::Subject,
    },
    ports::state_stores::StateHealth,
    telemetry::{audit::AuditEvent, metrics::RevokeReason},
};

/// The sessions of subjects.
#[derive(Clone)]
pub struct Sessions {
    context: ServiceContext,
    health: Arc<dyn StateHealth>,
    invalidations: Arc<Invalidations>,
}

impl Sessions {
    /// Works on these stores.
    pub fn new(context: ServiceContext, health: Arc<dyn StateHealth>, invalidations: Arc<Invalidations>) -> Self {
        Self { context, health, invalidations }
    }

    /// A page of live sessions, newest first; `bearer_invalid` once the account is not active.
    pub async fn list(&self, subject: &Subject, page: PageRequest) -> Result<Page<Session>> {
        let (active, page) = self.context.sql.list_sessions(subject, page, self.context.clock.now()).await?;
        if active { Ok(page) } else { Err(bearer_invalid()) }
    }

    /// One live session of the subject. Anyone else's, unknown, and already ended are the same `not_found`.
    pub async fn find(&self, subject: &Subject, id: &str) -> Result<Session> {
        let id: TokenId = id.parse().map_err(|_| unknown())?;
        self.context.sql.find_session(subject, id, self.context.clock.now()).await?.ok_or_else(unknown)
    }

    /// Ends one session of the subject. Anyone else's, unknown, and already ended are the same `not_found`.
    pub async fn revoke(&self, subject: &Subject, id: &str) -> Result<()> {
        let id: TokenId = id.parse().map_err(|_| unknown())?;
        let (sessions, subject) = (self.clone(), subject.clone());
        run_uncancelled(async move { sessions.end(&subject, id).await }).await
    }

    async fn end(&self, subject: &Subject, id: TokenId) -> Result<()> {
        if let Some(account) = subject.account_id() {
            self.context.require_active(account).await?;
        }
        if self.invalidations.is_pending(id) && self.context.sql.owns_session(subject, id).await? {
            return self.invalidations.settle(id).await;
        }
        let Some(revoked) = self.context.sql.revoke_session(subject, id, self.context.clock.now()).await? else {
            // Another replica may have revoked it without reaching the cache; while the cache is away nobody can tell.
            self.health.ping().await?;
            return Err(unknown());
        };
        AuditEvent::SessionRevoked { token_id: id, by: subject.email() }.record();
        self.context.metrics.revoked(RevokeReason::Owner, 1);
        self.invalidations.revoked(&[revoked]).await
    }

    /// Ends the session behind a request.
    pub async fn revoke_current(&self, caller: &Caller) -> Result<()> {
        self.revoke(&caller.token.subject, &caller.token.token_id.to_string()).await
    }

    /// Ends every session of the subject but one; how many ended.
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
        self.invalidations.revoked(&revoked).await?;
        Ok(revoked.len())
    }

    /// RFC 7009: ends the session of a token. A token that is unknown or ended, or not a token at all, is not a failure.
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
