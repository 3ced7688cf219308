//! Grants in one process: the domain's own transitions, on a map by device code and an index from user codes.

use super::bounded::{Bounded, Ends};
use crate::domain::{
    Result,
    grant::{Approval, ClaimOutcome, DenyOutcome, Grant, GrantRequest, PendingGrant, PollOutcome},
    id::{ClaimId, TokenId},
    secret::{DeviceCodeHash, UserCodeKey},
};

/// Grants by device code, and their user codes' index.
pub(super) struct Grants {
    by_device: Bounded<DeviceCodeHash, Grant>,
    by_user: Bounded<UserCodeKey, Pointer>,
}

/// Which grant a user code belongs to, and until when in microseconds.
struct Pointer {
    device_code: DeviceCodeHash,
    until_us: u64,
}

impl Ends for Grant {
    fn is_over(&self, now_us: u64) -> bool {
        Grant::is_expired(self, now_us / 1_000)
    }
}

impl Ends for Pointer {
    fn is_over(&self, now_us: u64) -> bool {
        now_us >= self.until_us
    }
}

impl Pointer {
    fn to(device_code: &DeviceCodeHash, grant: &Grant) -> Self {
        Self { device_code: device_code.clone(), until_us: grant.expires_at_ms.saturating_mul(1_000) }
    }
}

impl Grants {
    /// None yet, and at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { by_device: Bounded::new(most), by_user: Bounded::new(most) }
    }

    pub(super) fn create(
        &mut self,
        device_code: &DeviceCodeHash,
        user_code: &UserCodeKey,
        request: &GrantRequest,
        now_us: u64,
    ) -> Result<bool> {
        if self.find(user_code, now_us).is_some() {
            return Ok(false);
        }
        let grant = Grant::new(request.clone(), now_us / 1_000);
        let pointer = Pointer::to(device_code, &grant);
        self.by_device.insert(device_code.clone(), grant, now_us)?;
        if let Err(full) = self.by_user.insert(user_code.clone(), pointer, now_us) {
            self.by_device.remove(device_code);
            return Err(full);
        }
        Ok(true)
    }

    pub(super) fn poll(&mut self, device_code: &DeviceCodeHash, client_id: &str, now_us: u64) -> Result<PollOutcome> {
        let Some(grant) = self.by_device.get(device_code, now_us).cloned() else { return Ok(PollOutcome::Unknown) };
        let (grant, outcome) = grant.poll(client_id, now_us / 1_000);
        self.by_device.insert(device_code.clone(), grant, now_us)?;
        Ok(outcome)
    }

    pub(super) fn pending(&self, user_codes: &[UserCodeKey], now_us: u64) -> Option<PendingGrant> {
        user_codes.iter().find_map(|user_code| {
            let device_code = self.find(user_code, now_us)?;
            self.by_device.get(&device_code, now_us)?.pending(now_us / 1_000)
        })
    }

    pub(super) fn claim(&mut self, user_codes: &[UserCodeKey], claim: ClaimId, now_us: u64) -> Result<ClaimOutcome> {
        let claimed = self.step(user_codes, now_us, |grant| grant.claim(claim, now_us / 1_000))?;
        Ok(claimed.unwrap_or(ClaimOutcome::Unknown))
    }

    pub(super) fn finish(
        &mut self,
        user_codes: &[UserCodeKey],
        claim: ClaimId,
        approval: &Approval,
        now_us: u64,
    ) -> Result<bool> {
        let finished = self.step(user_codes, now_us, |grant| grant.finish(claim, approval.clone(), now_us / 1_000))?;
        Ok(finished.unwrap_or(false))
    }

    pub(super) fn release(&mut self, user_codes: &[UserCodeKey], claim: ClaimId, now_us: u64) -> Result<()> {
        self.step(user_codes, now_us, |grant| (grant.release(claim, now_us / 1_000), ())).map(|_| ())
    }

    pub(super) fn deny(&mut self, user_codes: &[UserCodeKey], now_us: u64) -> Result<DenyOutcome> {
        let denied = self.step(user_codes, now_us, |grant| grant.deny(now_us / 1_000))?;
        Ok(denied.unwrap_or(DenyOutcome::Unknown))
    }

    pub(super) fn redeem(&mut self, device_code: &DeviceCodeHash, token_id: TokenId, now_us: u64) -> bool {
        let grant = self.by_device.get(device_code, now_us);
        let redeems = grant.is_some_and(|grant| grant.redeems(token_id, now_us / 1_000));
        if redeems {
            self.by_device.remove(device_code);
        }
        redeems
    }

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
        self.by_user.insert(user_code.clone(), Pointer::to(&device_code, &grant), now_us)?;
        self.by_device.insert(device_code, grant, now_us)?;
        Ok(Some(outcome))
    }
}
