//! Grants in this process: the domain's transitions, on a map by device code and an index by user code.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    domain::{
        Result,
        grant::{Approval, ClaimOutcome, DenyOutcome, Grant, GrantRequest, PendingGrant, PollOutcome},
        id::{AccountId, ClaimId, TokenId},
        recorded_decision::{self, Decision},
        secret::{DeviceCodeHash, UserCodeKey},
    },
    ports::{clock::Clock, grant_store::GrantStore},
    store::state::{
        bounded_map::{BoundedMap, Expires},
        micros::now_us,
    },
};

/// Grants in this process.
pub(crate) struct MemoryGrantStore {
    clock: Arc<dyn Clock>,
    grants: Mutex<GrantMaps>,
    decisions: Mutex<BoundedMap<(UserCodeKey, AccountId), RecordedDecision>>,
}

struct GrantMaps {
    by_device_code: BoundedMap<DeviceCodeHash, Grant>,
    by_user_code: BoundedMap<UserCodeKey, IndexEntry>,
}

/// The grant of a user code.
struct IndexEntry {
    device_code: DeviceCodeHash,
    expires_us: u64,
}

/// A decision until it expires.
struct RecordedDecision {
    decision: Decision,
    expires_us: u64,
}

impl Expires for RecordedDecision {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.expires_us
    }
}

impl Expires for Grant {
    fn is_expired(&self, now_us: u64) -> bool {
        Grant::is_expired(self, now_us / 1_000)
    }
}

impl Expires for IndexEntry {
    fn is_expired(&self, now_us: u64) -> bool {
        now_us >= self.expires_us
    }
}

impl IndexEntry {
    fn of(device_code: &DeviceCodeHash, grant: &Grant) -> Self {
        Self { device_code: device_code.clone(), expires_us: grant.expires_at_ms.saturating_mul(1_000) }
    }
}

impl MemoryGrantStore {
    pub(crate) fn new(clock: Arc<dyn Clock>, max_grants: usize) -> Self {
        let maps = GrantMaps { by_device_code: BoundedMap::new(max_grants), by_user_code: BoundedMap::new(max_grants) };
        Self { clock, grants: Mutex::new(maps), decisions: Mutex::new(BoundedMap::new(max_grants)) }
    }

    fn now_us(&self) -> u64 {
        now_us(&*self.clock)
    }
}

impl GrantMaps {
    fn find(&self, user_code: &UserCodeKey, now_us: u64) -> Option<DeviceCodeHash> {
        let device_code = &self.by_user_code.get(user_code, now_us)?.device_code;
        self.by_device_code.get(device_code, now_us).map(|_| device_code.clone())
    }

    /// Applies a transition to the grant of the first user code that has one.
    fn transition<T>(
        &mut self,
        user_codes: &[UserCodeKey],
        now_us: u64,
        transition: impl FnOnce(Grant) -> (Grant, T),
    ) -> Result<Option<T>> {
        let found = user_codes.iter().find_map(|user_code| Some((user_code, self.find(user_code, now_us)?)));
        let Some((user_code, device_code)) = found else { return Ok(None) };
        let Some(grant) = self.by_device_code.get(&device_code, now_us).cloned() else { return Ok(None) };
        let (grant, outcome) = transition(grant);
        self.by_user_code.insert(user_code.clone(), IndexEntry::of(&device_code, &grant), now_us)?;
        self.by_device_code.insert(device_code, grant, now_us)?;
        Ok(Some(outcome))
    }
}

#[async_trait]
impl GrantStore for MemoryGrantStore {
    async fn create(
        &self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
    ) -> Result<bool> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        if grants.find(user_code, now_us).is_some() {
            return Ok(false);
        }
        let grant = Grant::new(request.clone(), now_us / 1_000);
        let entry = IndexEntry::of(device_code, &grant);
        grants.by_device_code.insert(device_code.clone(), grant, now_us)?;
        if let Err(full) = grants.by_user_code.insert(user_code.clone(), entry, now_us) {
            grants.by_device_code.remove(device_code);
            return Err(full);
        }
        Ok(true)
    }

    async fn poll(&self, device_code: &DeviceCodeHash, client_id: &str) -> Result<PollOutcome> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let Some(grant) = grants.by_device_code.get(device_code, now_us).cloned() else {
            return Ok(PollOutcome::Unknown);
        };
        let (grant, outcome) = grant.poll(client_id, now_us / 1_000);
        grants.by_device_code.insert(device_code.clone(), grant, now_us)?;
        Ok(outcome)
    }

    async fn find_pending(&self, user_codes: &[UserCodeKey]) -> Result<Option<PendingGrant>> {
        let (grants, now_us) = (self.grants.lock(), self.now_us());
        Ok(user_codes.iter().find_map(|user_code| {
            let device_code = grants.find(user_code, now_us)?;
            grants.by_device_code.get(&device_code, now_us)?.pending(now_us / 1_000)
        }))
    }

    async fn claim(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<ClaimOutcome> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let claimed = grants.transition(user_codes, now_us, |grant| grant.claim(claim, now_us / 1_000))?;
        Ok(claimed.unwrap_or(ClaimOutcome::Unknown))
    }

    async fn finish(&self, user_codes: &[UserCodeKey], claim: ClaimId, approval: &Approval) -> Result<bool> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let finish = |grant: Grant| grant.finish(claim, approval.clone(), now_us / 1_000);
        let finished = grants.transition(user_codes, now_us, finish)?;
        Ok(finished.unwrap_or(false))
    }

    async fn has_other_outcome(&self, user_codes: &[UserCodeKey], token_id: TokenId) -> Result<bool> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let read = |grant: Grant| {
            let is_other = !grant.redeems(token_id, now_us / 1_000);
            (grant, is_other)
        };
        Ok(grants.transition(user_codes, now_us, read)?.unwrap_or(false))
    }

    async fn release(&self, user_codes: &[UserCodeKey], claim: ClaimId) -> Result<()> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        grants.transition(user_codes, now_us, |grant| (grant.release(claim, now_us / 1_000), ())).map(|_| ())
    }

    async fn deny(&self, user_codes: &[UserCodeKey]) -> Result<DenyOutcome> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let denied = grants.transition(user_codes, now_us, |grant| grant.deny(now_us / 1_000))?;
        Ok(denied.unwrap_or(DenyOutcome::Unknown))
    }

    async fn redeem(&self, device_code: &DeviceCodeHash, token_id: TokenId) -> Result<bool> {
        let (mut grants, now_us) = (self.grants.lock(), self.now_us());
        let grant = grants.by_device_code.get(device_code, now_us);
        let redeems = grant.is_some_and(|grant| grant.redeems(token_id, now_us / 1_000));
        if redeems {
            grants.by_device_code.remove(device_code);
        }
        Ok(redeems)
    }

    async fn record_decision(&self, user_code: &UserCodeKey, account: AccountId, decision: &Decision) -> Result<()> {
        let (mut decisions, now_us) = (self.decisions.lock(), self.now_us());
        let expires_us = now_us.saturating_add(u64::from(recorded_decision::LIFETIME) * 1_000_000);
        let recorded = RecordedDecision { decision: decision.clone(), expires_us };
        decisions.insert((user_code.clone(), account), recorded, now_us)
    }

    async fn find_decision(&self, user_codes: &[UserCodeKey], account: AccountId) -> Result<Option<Decision>> {
        let (decisions, now_us) = (self.decisions.lock(), self.now_us());
        let find = |user_code: &UserCodeKey| decisions.get(&(user_code.clone(), account), now_us);
        Ok(user_codes.iter().find_map(find).map(|recorded| recorded.decision.clone()))
    }
}
