//! Resolves bearer tokens for requests and introspection: cache, then SQL, then hard expiry (contract sections 3 and 4,
//! steps 5 and 6).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    context::ServiceContext, invalidation::Invalidations, last_used::LastUsedTracker, rate_limiter::RateLimiter,
};
use crate::{
    domain::{
        Code, Error, Result,
        account::AccountStatus,
        caller::{Caller, ClientAddress},
        client_commands::ClientCommands,
        limit::{Charge, LimitDecision, LimitName, Quota},
        secret::{BearerToken, TokenHash, bearer_invalid},
        session::{TokenContext, TokenRow},
        subject::{Subject, SubjectType},
    },
    ports::token_cache::{CachedToken, TokenCache},
    telemetry::{audit::AuditEvent, metrics::CacheOutcome},
};

/// A fill is dropped when it comes later than this after its SELECT began. Invalidations last longer.
const FILL_WINDOW: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Bearers {
    context: ServiceContext,
    token_cache: Arc<dyn TokenCache>,
    rate_limiter: RateLimiter,
    invalidations: Arc<Invalidations>,
    last_used: Arc<LastUsedTracker>,
    client_commands: Arc<ClientCommands>,
    standalone: bool,
}

impl Bearers {
    /// `standalone`: only this service changes accounts.
    pub fn new(
        context: ServiceContext,
        token_cache: Arc<dyn TokenCache>,
        rate_limiter: RateLimiter,
        invalidations: Arc<Invalidations>,
        last_used: Arc<LastUsedTracker>,
        client_commands: Arc<ClientCommands>,
        standalone: bool,
    ) -> Self {
        Self { context, token_cache, rate_limiter, invalidations, last_used, client_commands, standalone }
    }

    /// The caller of a token. Charges the per-token limit. Fails with
    /// `bearer_invalid`, `bearer_expired`, `rate_limited`, or `service_unavailable` when SQL is needed and down.
    pub async fn authenticate(
        &self,
        token: &BearerToken,
        address: ClientAddress,
        user_agent: Option<&str>,
    ) -> Result<Caller> {
        let found = self.find_caller(token, address).await;
        let caller = found.map_err(|error| self.with_sign_in_hint(error, user_agent))?;
        self.last_used.record(caller.token.token_id, self.context.clock.now(), address, user_agent);
        Ok(caller)
    }

    /// Adds the hint of the program that the `User-Agent` names, unless the error has the hint of the token's client.
    pub(crate) fn with_sign_in_hint(&self, error: Error, user_agent: Option<&str>) -> Error {
        self.client_commands.with_sign_in_hint(error, None, user_agent)
    }

    async fn find_caller(&self, token: &BearerToken, address: ClientAddress) -> Result<Caller> {
        let hash = token.hash();
        if self.invalidations.is_queued(&hash) {
            return Err(bearer_invalid());
        }
        let limit = self.rate_limiter.bucket(LimitName::Token, hash.expose());
        let (context, verdict) = match self.token_cache.get_and_charge(&hash, &limit).await {
            Ok(CachedToken::Live(context, verdict)) => {
                self.context.metrics.cache(CacheOutcome::Hit);
                self.check_live(token, &hash, &context).await?;
                (context, verdict)
            }
            Ok(CachedToken::Invalid) => {
                self.context.metrics.cache(CacheOutcome::Negative);
                return Err(bearer_invalid());
            }
            Ok(CachedToken::Unknown) => {
                self.context.metrics.cache(CacheOutcome::Miss);
                let context = self.load_within_limit(token, &hash, address).await?;
                (context, self.rate_limiter.charge_with_fallback(&[limit]).await?.0)
            }
            // The shared store is unavailable: SQL decides, and each process has limits of its own.
            Err(_) => {
                let context = self.load_within_limit(token, &hash, address).await?;
                (context, self.rate_limiter.local.charge(&[limit]).await?)
            }
        };
        if let LimitDecision::Limited(retry_after) = verdict {
            return Err(self.rate_limiter.limited(LimitName::Token, retry_after));
        }
        Ok(Caller { token: context, hash })
    }

    /// The context of a token, for introspection. Charges no limit. No handler reads the account's status afterwards,
    /// so it is read here, except for a cached entry standalone, where an account is disabled only together with its
    /// tokens.
    pub async fn resolve(&self, token: &BearerToken) -> Result<TokenContext> {
        self.find_context(token).await.map_err(|error| self.with_sign_in_hint(error, None))
    }

    async fn find_context(&self, token: &BearerToken) -> Result<TokenContext> {
        let hash = token.hash();
        if self.invalidations.is_queued(&hash) {
            return Err(bearer_invalid());
        }
        let limit = Charge { quota: Quota::new(0, 1), ..self.rate_limiter.bucket(LimitName::Token, hash.expose()) };
        match self.token_cache.get_and_charge(&hash, &limit).await {
            Ok(CachedToken::Live(context, _)) => {
                self.check_live(token, &hash, &context).await?;
                match &context.subject {
                    Subject::Account { id, .. } if !self.standalone => self.context.require_active(*id).await?,
                    Subject::Account { .. } | Subject::ExternalSso { .. } => {}
                }
                Ok(context)
            }
            Ok(CachedToken::Invalid) => Err(bearer_invalid()),
            Ok(CachedToken::Unknown) | Err(_) => self.load(token, &hash).await,
        }
    }

    /// Limits unknown tokens by address before they reach SQL. Each token is charged first, so that concurrent requests
    /// cannot exceed the limit, and refunded if it is known or SQL failed.
    async fn load_within_limit(
        &self,
        token: &BearerToken,
        hash: &TokenHash,
        address: ClientAddress,
    ) -> Result<TokenContext> {
        let unknown = [self.rate_limiter.bucket(LimitName::UnknownBearer, address.bucket())];
        let (verdict, charged) = self.rate_limiter.charge_with_fallback(&unknown).await?;
        if let LimitDecision::Limited(retry_after) = verdict {
            return Err(self.rate_limiter.limited(LimitName::UnknownBearer, retry_after));
        }
        let loaded = self.load(token, hash).await;
        if !loaded.as_ref().is_err_and(|error| error.code() == Code::BearerInvalid) {
            // Best effort: without the refund the address has one request less until the bucket refills.
            let _ = charged.refund(&unknown).await;
        }
        loaded
    }

    /// Reads SQL and fills the cache.
    async fn load(&self, token: &BearerToken, hash: &TokenHash) -> Result<TokenContext> {
        // Monotonic time, so that a change of the wall clock does not permit a late fill.
        let began = Instant::now();
        let Some(row) = self.context.sql.find_token(hash).await? else {
            // Best effort: without the entry the next request reads SQL again.
            let _ = self.token_cache.put_unknown(hash).await;
            return Err(bearer_invalid());
        };
        let context = self.check_row(token, hash, row).await?;
        if began.elapsed() < FILL_WINDOW {
            let _ = self.token_cache.put(hash, &context).await;
        }
        Ok(context)
    }

    /// The context of a row that is live and agrees with the token's prefix.
    async fn check_row(&self, token: &BearerToken, hash: &TokenHash, row: TokenRow) -> Result<TokenContext> {
        let subject_type = token.subject_type();
        let deleted_account = subject_type == SubjectType::Account && row.account_id.is_none() && row.prefix == "dfoa_";
        if deleted_account {
            // The account was deleted: Dify's foreign key is ON DELETE SET NULL.
            self.context.sql.revoke_if_hash(row.token_id, hash, self.context.clock.now()).await?;
            self.invalidations.invalidate(hash).await?;
            return Err(self.invalid_token_of(&row.client_id));
        }
        // A missing account is not active.
        let inactive = row.account_id.is_some()
            && row.account_status.as_ref().is_none_or(|status| !status.is(AccountStatus::Active));
        if subject_type == SubjectType::Account && inactive {
            return Err(self.invalid_token_of(&row.client_id));
        }
        let Some(subject) = Subject::of_row(subject_type, &row) else {
            AuditEvent::InvariantBroken { what: "a row and its token's prefix", token_id: Some(row.token_id) }.record();
            return Err(Error::new(Code::InternalStateInvariant, "Something went wrong on our side."));
        };
        let context = TokenContext {
            token_id: row.token_id,
            subject,
            client_id: row.client_id,
            expires_at: row.expires_at,
            verdicts: None,
        };
        self.check_live(token, hash, &context).await?;
        Ok(context)
    }

    fn invalid_token_of(&self, client_id: &str) -> Error {
        self.client_commands.with_sign_in_hint(bearer_invalid(), Some(client_id), None)
    }

    /// Rejects an expired token and revokes its row by compare-and-set. The winner records the audit event.
    async fn check_live(&self, token: &BearerToken, hash: &TokenHash, context: &TokenContext) -> Result<()> {
        if context.subject.subject_type() != token.subject_type() {
            AuditEvent::InvariantBroken {
                what: "a cache entry and its token's prefix",
                token_id: Some(context.token_id),
            }
            .record();
            return Err(Error::new(Code::InternalStateInvariant, "Something went wrong on our side."));
        }
        let now = self.context.clock.now();
        if now < context.expires_at {
            return Ok(());
        }
        // The condition on the hash keeps a row that was rotated by a new sign-in of the same device.
        if self.context.sql.revoke_if_hash(context.token_id, hash, now).await? {
            self.context.metrics.expired();
            AuditEvent::TokenExpired { token_id: context.token_id, subject_email: context.subject.email() }.record();
        }
        // Best effort: the next reader of the entry finds it expired, too.
        let _ = self.invalidations.invalidate(hash).await;
        let expired = Error::new(Code::BearerExpired, "This session has expired.");
        Err(self.client_commands.with_sign_in_hint(expired, Some(&context.client_id), None))
    }
}
