//! Shared state in one process, for a standalone server. It runs the domain's own transitions under a lock, is lost with the
//! process, and keeps no tokens: the command line is another process and must take effect at once.

mod bounded;
mod grants;
mod logins;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use self::{
    bounded::{Bounded, Ends},
    grants::Grants,
    logins::Logins,
};
use crate::{
    domain::{
        Result,
        grant::{Approval, ClaimOutcome, DenyOutcome, GrantRequest, PendingGrant, PollOutcome},
        id::{ClaimId, TokenId, WorkspaceId},
        limit::{Charge, LimitDecision, LimitName, Quota, gcra},
        secret::{DeviceCodeHash, TokenHash, UserCodeKey},
        session::TokenContext,
    },
    ports::{
        clock::Clock,
        state::{Cached, Judged, State},
    },
};

/// The most grants kept at a time; a new one beyond is `service_unavailable`.
pub(crate) const MAX_GRANTS: usize = 100_000;
/// The most limit buckets, and the most login counters, kept at a time.
pub(crate) const MAX_BUCKETS: usize = 500_000;
/// The most leases; jobs are few.
const MAX_LEASES: usize = 1_000;

/// The state port in process.
pub struct Memory {
    clock: Arc<dyn Clock>,
    grants: Mutex<Grants>,
    buckets: Mutex<Bounded<(LimitName, String), Until>>,
    logins: Mutex<Logins>,
    leases: Mutex<Bounded<String, Until>>,
    slots: Mutex<Bounded<String, Holders>>,
}

/// Something that matters until a time in microseconds: a bucket's arrival time, a lease's end.
struct Until(u64);

/// Who has the slots of a key, and until when in microseconds.
struct Holders(HashMap<Uuid, u64>);

impl Ends for Until {
    fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.0
    }
}

impl Ends for Holders {
    fn is_over(&self, now_us: u64) -> bool {
        self.0.values().all(|until_us| now_us >= *until_us)
    }
}

impl Memory {
    /// Empty state that goes by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_bounds(clock, MAX_GRANTS, MAX_BUCKETS)
    }

    /// Empty state that keeps at most so many grants and so many buckets.
    pub fn with_bounds(clock: Arc<dyn Clock>, grants: usize, buckets: usize) -> Self {
        Self {
            clock,
            grants: Mutex::new(Grants::new(grants)),
            buckets: Mutex::new(Bounded::new(buckets)),
            logins: Mutex::new(Bounded::new(buckets)),
            leases: Mutex::new(Bounded::new(MAX_LEASES)),
            slots: Mutex::new(Bounded::new(buckets)),
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.now().timestamp_micros()).unwrap_or(0)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[async_trait]
impl State for Memory {
    async fn create_grant(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool> {
        self.grants.lock().create(device_code, user_code, request, self.now_us())
    }

    async fn poll_grant(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome> {
        self.grants.lock().poll(device_code, client_id, self.now_us())
    }

    async fn find_pending_grant(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        Ok(self.grants.lock().pending(user_codes, self.now_us()))
    }

    async fn claim_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome> {
        self.grants.lock().claim(user_codes, claim, self.now_us())
    }

    async fn finish_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        self.grants.lock().finish(user_codes, claim, approval, self.now_us())
    }

    async fn release_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        self.grants.lock().release(user_codes, claim, self.now_us())
    }

    async fn deny_grant(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome> {
        self.grants.lock().deny(user_codes, self.now_us())
    }

    async fn redeem_grant(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        Ok(self.grants.lock().redeem(device_code, token_id, self.now_us()))
    }

    async fn charge(&self, charges: &[Charge]) -> Result<LimitDecision> {
        let now_us = self.now_us();
        let mut buckets = self.buckets.lock();
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let bucket = (charge.name, charge.key.clone());
            let arrival = buckets.get(&bucket, now_us).map(|until| until.0);
            match gcra(charge.quota, arrival, now_us) {
                Ok(next) => buckets.insert(bucket, Until(next), now_us)?,
                Err(wait) => return Ok(LimitDecision::Limited(wait)),
            }
        }
        Ok(LimitDecision::Allowed)
    }

    async fn peek(&self, charge: &Charge) -> Result<LimitDecision> {
        if charge.quota.is_off() {
            return Ok(LimitDecision::Allowed);
        }
        let now_us = self.now_us();
        let arrival = self.buckets.lock().get(&(charge.name, charge.key.clone()), now_us).map(|until| until.0);
        Ok(gcra(charge.quota, arrival, now_us).map_or_else(LimitDecision::Limited, |_| LimitDecision::Allowed))
    }

    async fn refund(&self, charges: &[Charge]) -> Result<()> {
        let now_us = self.now_us();
        let mut buckets = self.buckets.lock();
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let bucket = (charge.name, charge.key.clone());
            if let Some(arrival) = buckets.get(&bucket, now_us).map(|until| until.0) {
                buckets.insert(bucket, Until(arrival.saturating_sub(charge.quota.emission_us())), now_us)?;
            }
        }
        Ok(())
    }

    fn caches_tokens(&self) -> bool {
        false
    }

    async fn cached_token(&self, _: &TokenHash, _: &Charge) -> Result<Cached> {
        Ok(Cached::Unknown)
    }

    async fn cache_token(&self, _: &TokenHash, _: &TokenContext) -> Result<()> {
        Ok(())
    }

    async fn note_membership(&self, _: &TokenHash, _: TokenId, _: WorkspaceId, _: bool) -> Result<()> {
        Ok(())
    }

    async fn cache_unknown(&self, _: &TokenHash) -> Result<()> {
        Ok(())
    }

    async fn invalidate_token(&self, _: &TokenHash) -> Result<()> {
        Ok(())
    }

    async fn begin_login(&self, keys: &[String], attempt: Uuid, quota: Quota) -> Result<LimitDecision> {
        self.logins.lock().begin(keys, attempt, quota.count, self.now_us())
    }

    async fn end_login(&self, keys: &[String], attempt: Uuid, judged: Judged, quota: Quota) -> Result<()> {
        self.logins.lock().end(keys, attempt, judged, quota, self.now_us())
    }

    async fn take_lease(&self, job: &str, lasting: Duration) -> Result<bool> {
        let now_us = self.now_us();
        let mut leases = self.leases.lock();
        let job = job.to_owned();
        if leases.get(&job, now_us).is_some() {
            return Ok(false);
        }
        leases.insert(job, Until(now_us.saturating_add(micros(lasting))), now_us)?;
        Ok(true)
    }

    async fn return_lease(&self, job: &str) -> Result<()> {
        self.leases.lock().remove(&job.to_owned());
        Ok(())
    }

    async fn take_slot(&self, key: &str, holder: Uuid, most: u32, lasting: Duration) -> Result<bool> {
        let now_us = self.now_us();
        let mut slots = self.slots.lock();
        let mut holders = slots.remove(&key.to_owned()).map_or_else(HashMap::new, |Holders(holders)| holders);
        holders.retain(|_, until_us| now_us < *until_us);
        let taken = holders.contains_key(&holder) || holders.len() < usize::try_from(most).unwrap_or(usize::MAX);
        if taken {
            holders.insert(holder, now_us.saturating_add(micros(lasting)));
        }
        if !holders.is_empty() {
            slots.insert(key.to_owned(), Holders(holders), now_us)?;
        }
        Ok(taken)
    }

    async fn release_slot(&self, key: &str, holder: Uuid) -> Result<()> {
        let now_us = self.now_us();
        let mut slots = self.slots.lock();
        if let Some(Holders(mut holders)) = slots.remove(&key.to_owned()) {
            holders.remove(&holder);
            if !holders.is_empty() {
                slots.insert(key.to_owned(), Holders(holders), now_us)?;
            }
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}
