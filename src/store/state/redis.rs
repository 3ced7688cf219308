//! Shared state in Redis: every decision is one script by Redis' own clock, every command has a bounded latency, and a
//! connection that breaks is replaced in the background.

mod grants;
mod key;
mod links;
mod options;
mod script;
mod token;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use uuid::Uuid;

#[cfg(test)]
pub(crate) use self::options::COMMAND_TIMEOUT;
pub(crate) use self::options::{RedisOptions, Topology};
use self::{key::Keys, links::Links, options::Pool};
use crate::{
    domain::{
        Error, Result,
        grant::{Approval, ClaimOutcome, DenyOutcome, GrantRequest, PendingGrant, PollOutcome},
        id::{ClaimId, TokenId, WorkspaceId},
        limit::{Charge, LimitDecision, Quota},
        secret::{DeviceCodeHash, TokenHash, UserCodeKey},
        session::TokenContext,
    },
    ports::state::{ATTEMPT, Cached, Judged, State},
};

/// The state port over Redis.
pub(crate) struct Redis {
    links: Links,
    keys: Keys,
    clock_offset: Arc<AtomicI64>,
}

impl Redis {
    /// Reads the options and connects with the first command, so that a start does not wait for Redis; `ping` tells its health.
    /// Fails when the options cannot be read. Its methods need a Tokio runtime.
    pub(crate) fn connect(options: RedisOptions) -> Result<Self> {
        let braces = options.key_prefix.as_deref().is_some_and(|prefix| prefix.contains(['{', '}']));
        if braces && matches!(options.topology, Topology::Cluster { .. }) {
            return Err(Error::internal(
                "REDIS_KEY_PREFIX contains braces, which would scatter keys over a cluster's slots; remove them",
            ));
        }
        let keys = Keys::new(options.key_prefix.as_deref());
        let links = Links::new(Pool::new(&options.topology)?, keys.probe());
        Ok(Self { links, keys, clock_offset: options.clock_offset })
    }

    /// For tests: the offset, in microseconds, that is added to Redis' clock, to be moved by whoever holds it.
    #[must_use]
    pub(crate) fn with_clock_offset(mut self, offset: Arc<AtomicI64>) -> Self {
        self.clock_offset = offset;
        self
    }

    fn offset(&self) -> i64 {
        self.clock_offset.load(Ordering::Relaxed)
    }

    async fn charge_together(&self, charges: &[&Charge]) -> Result<LimitDecision> {
        let buckets: Vec<String> = charges.iter().map(|charge| self.keys.bucket(charge)).collect();
        let offset = self.offset();
        let wait: u64 = self
            .links
            .eval(&script::LIMIT_CHARGE, |command| {
                command.arg(buckets.len()).arg(&buckets).arg(offset);
                for charge in charges {
                    command.arg(charge.quota.emission_us()).arg(charge.quota.count);
                }
            })
            .await?;
        Ok(verdict(wait))
    }

    fn logins(&self, keys: &[String]) -> Vec<String> {
        keys.iter().map(|key| self.keys.login(key)).collect()
    }

    async fn set_token(&self, hash: &TokenHash, value: &str, seconds: u32, only_new: bool) -> Result<()> {
        let mut command = redis::cmd("SET");
        command.arg(self.keys.token(hash)).arg(value).arg("EX").arg(seconds);
        if only_new {
            command.arg("NX");
        }
        self.links.run(&command).await
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Scripts answer 0 for allowed, else microseconds to wait.
fn verdict(wait_us: u64) -> LimitDecision {
    if wait_us == 0 { LimitDecision::Allowed } else { LimitDecision::Limited(Duration::from_micros(wait_us)) }
}

#[async_trait]
impl State for Redis {
    async fn create_grant(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool> {
        self.create(device_code, user_code, request).await
    }

    async fn poll_grant(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome> {
        self.poll(device_code, client_id).await
    }

    async fn find_pending_grant(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        self.pending(user_codes).await
    }

    async fn claim_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome> {
        self.claim(user_codes, claim).await
    }

    async fn finish_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        self.finish(user_codes, claim, approval).await
    }

    async fn release_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        self.release(user_codes, claim).await
    }

    async fn deny_grant(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome> {
        self.deny(user_codes).await
    }

    async fn redeem_grant(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        self.redeem(device_code, token_id).await
    }

    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision> {
        let charges: Vec<&Charge> = charges.iter().filter(|charge| !charge.quota.is_off()).collect();
        // Buckets of different keys lie in different slots: a cluster is asked for one at a time.
        let at_once = if self.links.is_cluster() { 1 } else { charges.len().max(1) };
        for together in charges.chunks(at_once) {
            let verdict = self.charge_together(together).await?;
            if verdict != LimitDecision::Allowed {
                return Ok(verdict);
            }
        }
        Ok(LimitDecision::Allowed)
    }

    async fn peek(&self, charge: &Charge) -> Result<LimitDecision> {
        if charge.quota.is_off() {
            return Ok(LimitDecision::Allowed);
        }
        let (bucket, offset) = (self.keys.bucket(charge), self.offset());
        let wait = self.links.eval(&script::LIMIT_PEEK, |command| {
            command.arg(1).arg(&bucket).arg(offset).arg(charge.quota.emission_us()).arg(charge.quota.count);
        });
        wait.await.map(verdict)
    }

    async fn refund(&self, charges: &[Charge]) -> Result<()> {
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let (bucket, offset) = (self.keys.bucket(charge), self.offset());
            let refund = self.links.eval::<u64>(&script::LIMIT_REFUND, |command| {
                command.arg(1).arg(&bucket).arg(offset).arg(charge.quota.emission_us());
            });
            refund.await?;
        }
        Ok(())
    }

    fn caches_tokens(&self) -> bool {
        true
    }

    async fn cached_token(&self, hash: &TokenHash, limit: &Charge) -> Result<Cached> {
        let (entry, offset) = (self.keys.token(hash), self.offset());
        let bucket = Keys::token_bucket(&entry);
        let reply: Option<(Vec<u8>, u64)> = self
            .links
            .eval(&script::TOKEN_READ, |command| {
                command.arg(2).arg(&entry).arg(&bucket).arg(offset);
                command.arg(limit.quota.emission_us()).arg(limit.quota.count);
            })
            .await?;
        let Some((value, wait)) = reply else { return Ok(Cached::Unknown) };
        // Anything else there is unknown to us: SQL decides.
        let Ok(value) = std::str::from_utf8(&value) else { return Ok(Cached::Unknown) };
        if value == token::INVALID {
            return Ok(Cached::Invalid);
        }
        Ok(token::read(value).map_or(Cached::Unknown, |context| Cached::Live(context, verdict(wait))))
    }

    async fn cache_token(&self, hash: &TokenHash, context: &TokenContext) -> Result<()> {
        let value = token::write(context).map_err(Error::internal)?;
        self.set_token(hash, &value, token::KEEP_LIVE, true).await
    }

    async fn note_membership(
        &self,
        hash: &TokenHash,
        token_id: TokenId,
        workspace: WorkspaceId,
        member: bool,
    ) -> Result<()> {
        let entry = self.keys.token(hash);
        let noted = self.links.eval::<()>(&script::TOKEN_VERDICT, |command| {
            command.arg(1).arg(&entry).arg(token_id.to_string()).arg(workspace.to_string()).arg(u8::from(member));
        });
        noted.await
    }

    async fn cache_unknown(&self, hash: &TokenHash) -> Result<()> {
        self.set_token(hash, token::INVALID, token::KEEP_UNKNOWN, true).await
    }

    async fn invalidate_token(&self, hash: &TokenHash) -> Result<()> {
        self.set_token(hash, token::INVALID, token::KEEP_LIVE, false).await
    }

    async fn begin_login(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision> {
        let (counters, offset) = (self.logins(keys), self.offset());
        let wait = self.links.eval(&script::LOGIN_BEGIN, |command| {
            command.arg(counters.len()).arg(&counters).arg(offset);
            command.arg(attempt.as_bytes()).arg(quota.count).arg(micros(ATTEMPT));
        });
        wait.await.map(verdict)
    }

    async fn end_login(&self, keys: &[String], attempt: Uuid, judged: Judged, quota: Quota) -> Result<()> {
        let (counters, offset) = (self.logins(keys), self.offset());
        let judged = match judged {
            Judged::Wrong => "wrong",
            Judged::Right => "right",
            Judged::Not => "not",
        };
        let ended = self.links.eval::<()>(&script::LOGIN_END, |command| {
            command.arg(counters.len()).arg(&counters).arg(offset);
            command.arg(attempt.as_bytes()).arg(judged).arg(quota.count).arg(micros(quota.period));
        });
        ended.await
    }

    async fn take_lease(&self, job: &str, lasting: Duration) -> Result<bool> {
        let (lease, offset) = (self.keys.lease(job), self.offset());
        let lasting_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX).max(1);
        let taken = self.links.eval(&script::LEASE_TAKE, |command| {
            command.arg(1).arg(&lease).arg(offset).arg(lasting_ms);
        });
        taken.await
    }

    async fn return_lease(&self, job: &str) -> Result<()> {
        let mut command = redis::cmd("DEL");
        command.arg(self.keys.lease(job));
        let _: u32 = self.links.run(&command).await?;
        Ok(())
    }

    async fn take_slot(&self, key: &str, holder: Uuid, most: u32, lasting: Duration) -> Result<bool> {
        let (slots, offset) = (self.keys.slots(key), self.offset());
        let lasting_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX).max(1);
        let taken = self.links.eval(&script::SLOT_TAKE, |command| {
            command.arg(1).arg(&slots).arg(offset).arg(holder.as_bytes()).arg(most).arg(lasting_ms);
        });
        taken.await
    }

    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()> {
        let mut command = redis::cmd("ZREM");
        command.arg(self.keys.slots(key)).arg(holder.as_bytes());
        let _: u32 = self.links.run(&command).await?;
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        self.links.ping().await
    }
}
