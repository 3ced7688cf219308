//! The device authorization grant (RFC 8628): a state machine whose transitions consume it.
//!
//! `pending → (claimed) → approved → redeemed`, `pending → denied`; a grant in any state ends at its expiry. The store
//! in memory runs this code, the Redis scripts translate it, and one conformance suite tests both.

use std::net::IpAddr;

use super::id::{ClaimId, TokenId};

/// Lifetime of a new grant, in seconds.
pub(crate) const LIFETIME: u32 = 900;
/// Minimum interval between two polls, in seconds.
pub(crate) const INTERVAL: u32 = 5;
/// Seconds that each early poll adds to the interval that is reported (RFC 8628 section 3.5).
pub(crate) const SLOW_DOWN_STEP: u32 = 5;
/// Limit of the interval that is reported, in seconds.
pub(crate) const MAX_INTERVAL: u32 = 60;
/// Milliseconds that a poll may come before the interval has passed.
pub(crate) const POLL_TOLERANCE_MS: u64 = 1_000;
/// Lifetime of an approval's claim, in seconds.
pub(crate) const CLAIM_LIFETIME: u32 = 10;
/// Minimum remaining lifetime of a grant once it is claimed, approved or denied, in seconds.
pub(crate) const DECIDED_LIFETIME: u32 = 60;

/// A device's request. It does not change after the codes are issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRequest {
    pub client_id: String,
    pub device_label: String,
    /// The address that requested the codes.
    pub created_ip: IpAddr,
    pub user_agent: Option<String>,
    /// The public key derived from the device code. The approval's token is sealed to it.
    pub seal_key: [u8; 32],
}

/// The result of an approval, for the next poll. Only the holder of the device code can open the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The minted session.
    pub token_id: TokenId,
    /// The token, sealed to the request's `seal_key`.
    pub sealed_token: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrantState {
    /// Not decided.
    Pending {
        /// The approval in progress and the end of its claim, in milliseconds since the epoch.
        claim: Option<(ClaimId, u64)>,
    },
    Approved(Approval),
    Denied,
}

/// A stored grant. Times are milliseconds since the epoch by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub request: GrantRequest,
    pub state: GrantState,
    pub created_at_ms: u64,
    pub expires_at_ms: u64,
    /// The interval that the last `slow_down` named, in seconds; `INTERVAL` after a poll in time.
    pub interval: u32,
    /// The last poll that was in time. An early poll does not change it, so that a client with a fixed cadence
    /// recovers.
    pub last_poll_ms: Option<u64>,
}

/// The result of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// The code belongs to another client. Does not count as a poll.
    ClientMismatch,
    /// The poll came too early. The client should wait for this many seconds.
    SlowDown(u32),
    /// The grant does not exist, has expired or was redeemed.
    Unknown,
    Pending {
        /// The address that requested the codes.
        created_ip: IpAddr,
    },
    Denied,
    /// The next step is to redeem the grant.
    Approved {
        /// The address that requested the codes.
        created_ip: IpAddr,
        approval: Approval,
    },
}

/// The result of claiming a pending grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The caller has to finish or release the claim.
    Claimed(GrantRequest),
    /// Another approval is in progress.
    InProgress,
    /// Already approved or denied.
    Resolved,
    /// The grant does not exist or has expired.
    Unknown,
}

/// The result of a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenyOutcome {
    Denied(GrantRequest),
    /// An approval is in progress.
    InProgress,
    /// Already approved or denied.
    Resolved,
    /// The grant does not exist or has expired.
    Unknown,
}

/// A pending grant, as it is shown to its approver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingGrant {
    pub request: GrantRequest,
    pub created_at_ms: u64,
    /// Seconds until the grant expires, rounded up.
    pub expires_in: u32,
}

impl Grant {
    pub(crate) fn new(request: GrantRequest, now_ms: u64) -> Self {
        Self {
            request,
            state: GrantState::Pending { claim: None },
            created_at_ms: now_ms,
            expires_at_ms: now_ms + u64::from(LIFETIME) * 1_000,
            interval: INTERVAL,
            last_poll_ms: None,
        }
    }

    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms
    }

    /// A poll by `client_id`, in the order of contract section 6.
    #[must_use]
    pub(crate) fn poll(mut self, client_id: &str, now_ms: u64) -> (Self, PollOutcome) {
        if self.is_expired(now_ms) {
            return (self, PollOutcome::Unknown);
        }
        if self.request.client_id != client_id {
            return (self, PollOutcome::ClientMismatch);
        }
        let early = self
            .last_poll_ms
            .is_some_and(|last| now_ms.saturating_sub(last) + POLL_TOLERANCE_MS < u64::from(INTERVAL) * 1_000);
        if early {
            self.interval = (self.interval + SLOW_DOWN_STEP).min(MAX_INTERVAL);
            let interval = self.interval;
            return (self, PollOutcome::SlowDown(interval));
        }
        self.interval = INTERVAL;
        self.last_poll_ms = Some(now_ms);
        let created_ip = self.request.created_ip;
        let found = match &self.state {
            GrantState::Pending { .. } => PollOutcome::Pending { created_ip },
            GrantState::Denied => PollOutcome::Denied,
            GrantState::Approved(approval) => PollOutcome::Approved { created_ip, approval: approval.clone() },
        };
        (self, found)
    }

    /// Reserves the approval for `CLAIM_LIFETIME` seconds, and extends the grant so that it outlives the approval.
    #[must_use]
    pub(crate) fn claim(mut self, claim: ClaimId, now_ms: u64) -> (Self, ClaimOutcome) {
        if self.is_expired(now_ms) {
            return (self, ClaimOutcome::Unknown);
        }
        match &self.state {
            GrantState::Approved(_) | GrantState::Denied => (self, ClaimOutcome::Resolved),
            GrantState::Pending { claim: Some((_, until)) } if now_ms < *until => (self, ClaimOutcome::InProgress),
            GrantState::Pending { .. } => {
                self.state = GrantState::Pending { claim: Some((claim, now_ms + u64::from(CLAIM_LIFETIME) * 1_000)) };
                self.extend(now_ms);
                let request = self.request.clone();
                (self, ClaimOutcome::Claimed(request))
            }
        }
    }

    /// Completes an approval. Returns `false` when the claim has expired or was released.
    #[must_use]
    pub(crate) fn finish(mut self, claim: ClaimId, approval: Approval, now_ms: u64) -> (Self, bool) {
        if self.is_expired(now_ms) || !self.holds(claim, now_ms) {
            return (self, false);
        }
        self.state = GrantState::Approved(approval);
        self.extend(now_ms);
        (self, true)
    }

    /// Releases a claim, so that the grant can be claimed again.
    #[must_use]
    pub(crate) fn release(mut self, claim: ClaimId, now_ms: u64) -> Self {
        if self.holds(claim, now_ms) {
            self.state = GrantState::Pending { claim: None };
        }
        self
    }

    #[must_use]
    pub(crate) fn deny(mut self, now_ms: u64) -> (Self, DenyOutcome) {
        if self.is_expired(now_ms) {
            return (self, DenyOutcome::Unknown);
        }
        match &self.state {
            GrantState::Approved(_) | GrantState::Denied => (self, DenyOutcome::Resolved),
            GrantState::Pending { claim: Some((_, until)) } if now_ms < *until => (self, DenyOutcome::InProgress),
            GrantState::Pending { .. } => {
                self.state = GrantState::Denied;
                self.extend(now_ms);
                let request = self.request.clone();
                (self, DenyOutcome::Denied(request))
            }
        }
    }

    /// Whether the approval with `token_id` can be redeemed. The store deletes the grant in the same step.
    pub(crate) fn redeems(&self, token_id: TokenId, now_ms: u64) -> bool {
        !self.is_expired(now_ms)
            && matches!(&self.state, GrantState::Approved(approval) if approval.token_id == token_id)
    }

    /// The grant for its approver; `None` once it is decided or expired.
    pub(crate) fn pending(&self, now_ms: u64) -> Option<PendingGrant> {
        let left_ms = self.expires_at_ms.checked_sub(now_ms).filter(|left| *left > 0)?;
        matches!(self.state, GrantState::Pending { .. }).then(|| PendingGrant {
            request: self.request.clone(),
            created_at_ms: self.created_at_ms,
            expires_in: u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX),
        })
    }

    fn holds(&self, claim: ClaimId, now_ms: u64) -> bool {
        matches!(&self.state, GrantState::Pending { claim: Some((held, until)) } if *held == claim && now_ms < *until)
    }

    fn extend(&mut self, now_ms: u64) {
        self.expires_at_ms = self.expires_at_ms.max(now_ms + u64::from(DECIDED_LIFETIME) * 1_000);
    }
}
