//! The device authorization grant (RFC 8628): a state machine whose transitions consume it.
//!
//! `pending → (claimed) → approved → redeemed`, `pending → denied`; every state ends at its expiry.
//! The in-process store runs exactly this; the Redis scripts are its translation, and one conformance suite holds both to it.

use std::net::IpAddr;

use super::id::{ClaimId, TokenId};

/// Seconds a new pair of codes lives.
pub const LIFETIME: u32 = 900;
/// Least seconds between two polls, to begin with.
pub const INTERVAL: u32 = 5;
/// What each early poll adds to the interval, in seconds (RFC 8628 section 3.5).
pub const SLOW_DOWN_STEP: u32 = 5;
/// The longest the interval gets, in seconds.
pub const MAX_INTERVAL: u32 = 60;
/// How much earlier than the interval a poll may come, in milliseconds.
pub const POLL_TOLERANCE_MS: u64 = 1_000;
/// Seconds an approval holds its claim.
pub const CLAIM_LIFETIME: u32 = 10;
/// Seconds a grant lives at least once somebody has begun to approve it.
pub const DECIDED_LIFETIME: u32 = 60;

/// What a device asked for; fixed when the codes are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRequest {
    /// The client.
    pub client_id: String,
    /// What it calls its device.
    pub device_label: String,
    /// The address it asked from.
    pub created_ip: IpAddr,
    /// The user agent it asked with.
    pub user_agent: Option<String>,
    /// Public half of the key derived from the device code: approvals are sealed to it.
    pub seal_key: [u8; 32],
}

/// What an approval leaves for the poll. The token inside is sealed: only the device's code opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The session that was minted.
    pub token_id: TokenId,
    /// The token, sealed to the grant's `seal_key`.
    pub sealed_token: Vec<u8>,
}

/// Where a grant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// Nobody has decided. A live claim means somebody is about to.
    Pending {
        /// The approval under way and when its claim ends, in milliseconds since the epoch.
        claim: Option<(ClaimId, u64)>,
    },
    /// Let in; the token waits.
    Approved(Approval),
    /// Turned away.
    Denied,
}

/// A grant as a store keeps it. Times are milliseconds since the epoch by the store's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What was asked.
    pub request: GrantRequest,
    /// Where it stands.
    pub state: GrantState,
    /// When the codes were made.
    pub created_at_ms: u64,
    /// When it ends, whatever its state.
    pub expires_at_ms: u64,
    /// Least seconds between two polls, now.
    pub interval: u32,
    /// The last poll.
    pub last_poll_ms: Option<u64>,
}

/// What a poll found. A poll is recorded whatever it finds, except `ClientMismatch`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Another client's code; not a poll.
    ClientMismatch,
    /// Too early; the interval is now this many seconds.
    SlowDown(u32),
    /// Unknown, over or redeemed.
    Unknown,
    /// Not decided.
    Pending {
        /// The address the code was asked from.
        created_ip: IpAddr,
    },
    /// Turned away.
    Denied,
    /// Let in; redeem to take the token.
    Approved {
        /// The address the code was asked from.
        created_ip: IpAddr,
        /// What waits.
        approval: Approval,
    },
}

/// What became of a claim on a pending grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Taken: finish or release it.
    Taken(GrantRequest),
    /// Another approval is under way.
    InProgress,
    /// Already approved or denied.
    Resolved,
    /// No such grant.
    Unknown,
}

/// What became of a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenyOutcome {
    /// Turned away just now.
    Denied(GrantRequest),
    /// An approval is under way.
    InProgress,
    /// Already approved or denied.
    Resolved,
    /// No such grant.
    Unknown,
}

/// A pending grant, as its approver sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingGrant {
    /// What was asked.
    pub request: GrantRequest,
    /// When, in milliseconds since the epoch.
    pub created_at_ms: u64,
    /// Seconds until it ends.
    pub expires_in: u32,
}

impl Grant {
    /// A grant that was asked for just now.
    pub fn new(request: GrantRequest, now_ms: u64) -> Self {
        Self {
            request,
            state: GrantState::Pending { claim: None },
            created_at_ms: now_ms,
            expires_at_ms: now_ms + u64::from(LIFETIME) * 1_000,
            interval: INTERVAL,
            last_poll_ms: None,
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms
    }

    /// A poll by `client_id`, in the order of contract section 6.
    #[must_use]
    pub fn poll(mut self, client_id: &str, now_ms: u64) -> (Self, PollOutcome) {
        if self.is_over(now_ms) {
            return (self, PollOutcome::Unknown);
        }
        if self.request.client_id != client_id {
            return (self, PollOutcome::ClientMismatch);
        }
        let early = self
            .last_poll_ms
            .is_some_and(|last| now_ms.saturating_sub(last) + POLL_TOLERANCE_MS < u64::from(self.interval) * 1_000);
        self.last_poll_ms = Some(now_ms);
        if early {
            self.interval = (self.interval + SLOW_DOWN_STEP).min(MAX_INTERVAL);
            let interval = self.interval;
            return (self, PollOutcome::SlowDown(interval));
        }
        let created_ip = self.request.created_ip;
        let found = match &self.state {
            GrantState::Pending { .. } => PollOutcome::Pending { created_ip },
            GrantState::Denied => PollOutcome::Denied,
            GrantState::Approved(approval) => PollOutcome::Approved { created_ip, approval: approval.clone() },
        };
        (self, found)
    }

    /// Takes the right to approve, for `CLAIM_LIFETIME`, and makes sure the grant outlives the approval.
    #[must_use]
    pub fn claim(mut self, claim: ClaimId, now_ms: u64) -> (Self, ClaimOutcome) {
        if self.is_over(now_ms) {
            return (self, ClaimOutcome::Unknown);
        }
        match &self.state {
            GrantState::Approved(_) | GrantState::Denied => (self, ClaimOutcome::Resolved),
            GrantState::Pending { claim: Some((_, until)) } if now_ms < *until => (self, ClaimOutcome::InProgress),
            GrantState::Pending { .. } => {
                self.state = GrantState::Pending { claim: Some((claim, now_ms + u64::from(CLAIM_LIFETIME) * 1_000)) };
                self.outlive(now_ms);
                let request = self.request.clone();
                (self, ClaimOutcome::Taken(request))
            }
        }
    }

    /// Ends an approval: `true` when the claim was still held.
    #[must_use]
    pub fn finish(mut self, claim: ClaimId, approval: Approval, now_ms: u64) -> (Self, bool) {
        if self.is_over(now_ms) || !self.holds(claim, now_ms) {
            return (self, false);
        }
        self.state = GrantState::Approved(approval);
        self.outlive(now_ms);
        (self, true)
    }

    /// Gives a claim back; the code can be approved again.
    #[must_use]
    pub fn release(mut self, claim: ClaimId, now_ms: u64) -> Self {
        if self.holds(claim, now_ms) {
            self.state = GrantState::Pending { claim: None };
        }
        self
    }

    /// Turns the device away.
    #[must_use]
    pub fn deny(mut self, now_ms: u64) -> (Self, DenyOutcome) {
        if self.is_over(now_ms) {
            return (self, DenyOutcome::Unknown);
        }
        match &self.state {
            GrantState::Approved(_) | GrantState::Denied => (self, DenyOutcome::Resolved),
            GrantState::Pending { claim: Some((_, until)) } if now_ms < *until => (self, DenyOutcome::InProgress),
            GrantState::Pending { .. } => {
                self.state = GrantState::Denied;
                self.outlive(now_ms);
                let request = self.request.clone();
                (self, DenyOutcome::Denied(request))
            }
        }
    }

    /// Whether the poll that saw `token_id` may take the token; the store deletes the grant in the same step.
    pub fn redeems(&self, token_id: TokenId, now_ms: u64) -> bool {
        !self.is_over(now_ms) && matches!(&self.state, GrantState::Approved(approval) if approval.token_id == token_id)
    }

    /// The grant as its approver sees it, while nobody has decided.
    pub fn pending(&self, now_ms: u64) -> Option<PendingGrant> {
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

    fn outlive(&mut self, now_ms: u64) {
        self.expires_at_ms = self.expires_at_ms.max(now_ms + u64::from(DECIDED_LIFETIME) * 1_000);
    }
}
