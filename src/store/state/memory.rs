//! Shared state in one process, for a standalone server. It runs the domain's own transitions under a lock, is lost with the
//! process, and keeps no tokens: the command line is another process and must take effect at once.

mod bounded;

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use self::bounded::{Bounded, Ends};
use crate::{
    domain::{
        Result,
        grant::{Approval, Claim, Deny, Grant, GrantRequest, PendingGrant, Poll},
        id::{ClaimId, TokenId, WorkspaceId},
        limit::{Charge, LimitName, Verdict, gcra},
        secret::{DeviceCodeHash, TokenHash, UserCodeKey},
        session::TokenContext,
    },
    ports::{
        clock::Clock,
        state::{Cached, State},
    },
};

/// The most grants kept at a time; a new one beyond is `service_unavailable`.
pub const MAX_GRANTS: usize = 100_000;
/// The most limit buckets, and the most login counters, kept at a time.
pub const MAX_BUCKETS: usize = 500_000;
/// The most leases; jobs are few.
const MAX_LEASES: usize = 1_000;

/// The state port in process.
pub struct Memory {
    clock: Arc<dyn Clock>,
    grants: Mutex<Grants>,
    buckets: Mutex<Bounded<(LimitName, String), Until>>,
    logins: Mutex<Bounded<String, Failures>>,
    leases: Mutex<Bounded<String, Until>>,
    slots: Mutex<Bounded<String, Holders>>,
}

/// Grants by device code, and their user codes' index.
struct Grants {
    by_device: Bounded<DeviceCodeHash, Grant>,
    by_user: Bounded<UserCodeKey, Pointer>,
}

/// Which grant a user code belongs to, and until when in microseconds.
struct Pointer {
    device_code: DeviceCodeHash,
    until_us: u64,
}

/// Something that matters until a time in microseconds: a bucket's arrival time, a lease's end.
struct Until(u64);

/// Who has the slots of a key, and until when in microseconds.
struct Holders(HashMap<Uuid, u64>);

/// Password attempts since `until_us` minus the lockout.
struct Failures {
    count: u32,
    until_us: u64,
}

impl Ends for Grant {
    fn is_over(&self, now_us: u64) -> bool {
        Grant::is_over(self, now_us / 1_000)
    }
}

impl Ends for Pointer {
    fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.until_us
    }
}

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

impl Ends for Failures {
    fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.until_us
    }
}

impl Grants {
    fn find(&self, user_code: &UserCodeKey, now_us: u64) -> Option<DeviceCodeHash> {
        let device_code = &self.by_user.get(user_code, now_us)?.device_code;
        self.by_device.get(device_code, now_us).map(|_| device_code.clone())
    }

    /// Puts the grant behind the first key that has one through a transition.
    fn step<T>(
        &mut self,
        user_codes: &[UserCodeKey],
        now_us: u64,
        step: impl FnOnce(Grant) -> (Grant, T),
    ) -> Result<Option<T>> {
        let found = user_codes.iter().find_map(|user_code| Some((user_code, self.find(user_code, now_us)?)));
        let Some((user_code, device_code)) = found else { return Ok(None) };
        let Some(grant) = self.by_device.get(&device_code, now_us).cloned() else { return Ok(None) };
        let (grant, outcome) = step(grant);
        let pointer = Pointer { device_code: device_code.clone(), until_us: grant.expires_at_ms.saturating_mul(1_000) };
        self.by_user.insert(user_code.clone(), pointer, now_us)?;
        self.by_device.insert(device_code, grant, now_us)?;
        Ok(Some(outcome))
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
            grants: Mutex::new(Grants { by_device: Bounded::new(grants), by_user: Bounded::new(grants) }),
            buckets: Mutex::new(Bounded::new(buckets)),
            logins: Mutex::new(Bounded::new(buckets)),
            leases: Mutex::new(Bounded::new(MAX_LEASES)),
            slots: Mutex::new(Bounded::new(buckets)),
        }
    }

    /// Takes an attempt back of each key, and forgets all of the first `forgotten` keys.
    fn forgive_login(&self, keys: &[String], forgotten: usize) -> Result<()> {
        let now_us = self.now_us();
        let mut logins = self.logins.lock();
        for (turn, key) in keys.iter().enumerate() {
            match logins.remove(key) {
                Some(Failures { count, until_us }) if turn >= forgotten && count > 1 && now_us < until_us => {
                    logins.insert(key.clone(), Failures { count: count - 1, until_us }, now_us)?;
                }
                Some(_) | None => {}
            }
        }
        Ok(())
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
        let now_us = self.now_us();
        let mut grants = self.grants.lock();
        if grants.find(user_code, now_us).is_some() {
            return Ok(false);
        }
        let grant = Grant::new(request.clone(), now_us / 1_000);
        let pointer = Pointer { device_code: device_code.clone(), until_us: grant.expires_at_ms.saturating_mul(1_000) };
        grants.by_device.insert(device_code.clone(), grant, now_us)?;
        if let Err(full) = grants.by_user.insert(user_code.clone(), pointer, now_us) {
            grants.by_device.remove(device_code);
            return Err(full);
        }
        Ok(true)
    }

    async fn poll_grant(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<Poll> {
        let now_us = self.now_us();
        let mut grants = self.grants.lock();
        let Some(grant) = grants.by_device.get(device_code, now_us).cloned() else { return Ok(Poll::Unknown) };
        let (grant, outcome) = grant.poll(client_id, now_us / 1_000);
        grants.by_device.insert(device_code.clone(), grant, now_us)?;
        Ok(outcome)
    }

    async fn find_pending_grant(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        let now_us = self.now_us();
        let grants = self.grants.lock();
        Ok(user_codes.iter().find_map(|user_code| {
            let device_code = grants.find(user_code, now_us)?;
            grants.by_device.get(&device_code, now_us)?.pending(now_us / 1_000)
        }))
    }

    async fn claim_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<Claim> {
        let now_us = self.now_us();
        let claimed = self.grants.lock().step(user_codes, now_us, |grant| grant.claim(claim, now_us / 1_000))?;
        Ok(claimed.unwrap_or(Claim::Unknown))
    }

    async fn finish_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        let now_us = self.now_us();
        let approval = approval.clone();
        let step = |grant: Grant| grant.finish(claim, approval, now_us / 1_000);
        Ok(self.grants.lock().step(user_codes, now_us, step)?.unwrap_or(false))
    }

    async fn release_grant(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        let now_us = self.now_us();
        let step = |grant: Grant| (grant.release(claim, now_us / 1_000), ());
        self.grants.lock().step(user_codes, now_us, step).map(|_| ())
    }

    async fn deny_grant(&self, user_codes: &[UserCodeKey]) -> Result<Deny> {
        let now_us = self.now_us();
        let denied = self.grants.lock().step(user_codes, now_us, |grant| grant.deny(now_us / 1_000))?;
        Ok(denied.unwrap_or(Deny::Unknown))
    }

    async fn redeem_grant(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        let now_us = self.now_us();
        let mut grants = self.grants.lock();
        let redeems =
            grants.by_device.get(device_code, now_us).is_some_and(|grant| grant.redeems(token_id, now_us / 1_000));
        if redeems {
            grants.by_device.remove(device_code);
        }
        Ok(redeems)
    }

    async fn charge(&self, charges: &[Charge]) -> Result<Verdict> {
        let now_us = self.now_us();
        let mut buckets = self.buckets.lock();
        for charge in charges.iter().filter(|charge| !charge.quota.is_off()) {
            let bucket = (charge.name, charge.key.clone());
            let arrival = buckets.get(&bucket, now_us).map(|until| until.0);
            match gcra(charge.quota, arrival, now_us) {
                Ok(next) => buckets.insert(bucket, Until(next), now_us)?,
                Err(wait) => return Ok(Verdict::Limited(wait)),
            }
        }
        Ok(Verdict::Allowed)
    }

    async fn peek(&self, charge: &Charge) -> Result<Verdict> {
        if charge.quota.is_off() {
            return Ok(Verdict::Allowed);
        }
        let now_us = self.now_us();
        let arrival = self.buckets.lock().get(&(charge.name, charge.key.clone()), now_us).map(|until| until.0);
        Ok(gcra(charge.quota, arrival, now_us).map_or_else(Verdict::Limited, |_| Verdict::Allowed))
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

    async fn begin_login(&self, keys: &[String], max: u32, lockout: Duration) -> Result<Verdict> {
        let now_us = self.now_us();
        let mut logins = self.logins.lock();
        let full = keys.iter().filter_map(|key| logins.get(key, now_us)).filter(|failures| failures.count >= max);
        if let Some(until_us) = full.map(|failures| failures.until_us).max() {
            return Ok(Verdict::Limited(Duration::from_micros(until_us - now_us)));
        }
        for key in keys {
            let afresh = now_us.saturating_add(micros(lockout));
            let (count, until_us) = match logins.get(key, now_us) {
                Some(failures) => (failures.count + 1, failures.until_us),
                None => (1, afresh),
            };
            // The attempt that fills the count begins the lockout.
            let until_us = if count >= max { afresh } else { until_us };
            logins.insert(key.clone(), Failures { count, until_us }, now_us)?;
        }
        Ok(Verdict::Allowed)
    }

    async fn login_succeeded(&self, keys: &[String]) -> Result<()> {
        self.forgive_login(keys, 1)
    }

    async fn login_undecided(&self, keys: &[String]) -> Result<()> {
        self.forgive_login(keys, 0)
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
