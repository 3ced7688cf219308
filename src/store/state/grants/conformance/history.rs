//! A second implementation of a grant, for comparison. It records events with their times and computes every answer
//! from them. It differs from the domain's state machine on purpose, so that the two do not have the same errors.

use std::net::IpAddr;

use crate::{
    domain::{
        grant::{Approval, ClaimOutcome, DenyOutcome, PollOutcome},
        id::{ClaimId, TokenId},
    },
    store::state::tests::samples::grant_request,
};

/// A change of a grant. Rejected requests are not recorded.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    Polled { early: bool },
    Claimed(ClaimId),
    Released,
    Approved,
    Denied,
    Redeemed,
}

/// The history of a grant of `difyctl` that can be approved with `approval`.
pub(super) struct History {
    created_ms: u64,
    approval: Approval,
    events: Vec<(u64, Event)>,
}

impl History {
    pub(super) fn new(created_ms: u64, approval: Approval) -> Self {
        Self { created_ms, approval, events: Vec::new() }
    }

    fn has(&self, event: Event) -> bool {
        self.events.iter().any(|(_, happened)| *happened == event)
    }

    fn is_decided(&self) -> bool {
        self.has(Event::Approved) || self.has(Event::Denied)
    }

    /// A grant lives for fifteen minutes, and for at least a minute after a claim or a decision. Redemption deletes it.
    fn has_ended(&self, now_ms: u64) -> bool {
        let decisive = |event| matches!(event, Event::Claimed(_) | Event::Approved | Event::Denied);
        let extended = self.events.iter().filter(|(_, event)| decisive(*event)).map(|(at, _)| at + 60_000);
        now_ms >= extended.fold(self.created_ms + 900_000, u64::max) || self.has(Event::Redeemed)
    }

    /// The current claim: the last one, for ten seconds, unless it was released.
    fn current_claim(&self, now_ms: u64) -> Option<ClaimId> {
        let last = self.events.iter().rev().find(|(_, event)| matches!(event, Event::Claimed(_) | Event::Released))?;
        match last {
            (at, Event::Claimed(claim)) if now_ms < at + 10_000 && !self.is_decided() => Some(*claim),
            _ => None,
        }
    }

    pub(super) fn poll(&mut self, client: &str, now_ms: u64) -> PollOutcome {
        if self.has_ended(now_ms) {
            return PollOutcome::Unknown;
        }
        if client != "difyctl" {
            return PollOutcome::ClientMismatch;
        }
        // Polls may come every four seconds. The interval is five seconds, plus five for every early poll since the
        // last one in time, at most sixty.
        let interval = |events: &[(u64, Event)]| {
            let polls = events.iter().rev().filter(|(_, event)| matches!(event, Event::Polled { .. }));
            let early = polls.take_while(|(_, event)| *event == Event::Polled { early: true }).count();
            u32::try_from(5 + 5 * early).unwrap().min(60)
        };
        let last = self.events.iter().rev().find(|(_, event)| *event == Event::Polled { early: false });
        let early = last.is_some_and(|(at, _)| now_ms < at + 4_000);
        self.events.push((now_ms, Event::Polled { early }));
        let created_ip: IpAddr = grant_request().created_ip;
        if early {
            PollOutcome::SlowDown(interval(&self.events))
        } else if self.has(Event::Denied) {
            PollOutcome::Denied
        } else if self.has(Event::Approved) {
            PollOutcome::Approved { created_ip, approval: self.approval.clone() }
        } else {
            PollOutcome::Pending { created_ip }
        }
    }

    pub(super) fn claim(&mut self, claim: ClaimId, now_ms: u64) -> ClaimOutcome {
        if self.has_ended(now_ms) {
            ClaimOutcome::Unknown
        } else if self.is_decided() {
            ClaimOutcome::Resolved
        } else if self.current_claim(now_ms).is_some() {
            ClaimOutcome::InProgress
        } else {
            self.events.push((now_ms, Event::Claimed(claim)));
            ClaimOutcome::Claimed(grant_request())
        }
    }

    pub(super) fn finish(&mut self, claim: ClaimId, now_ms: u64) -> bool {
        let finishes = !self.has_ended(now_ms) && self.current_claim(now_ms) == Some(claim);
        if finishes {
            self.events.push((now_ms, Event::Approved));
        }
        finishes
    }

    pub(super) fn release(&mut self, claim: ClaimId, now_ms: u64) {
        if self.current_claim(now_ms) == Some(claim) {
            self.events.push((now_ms, Event::Released));
        }
    }

    pub(super) fn deny(&mut self, now_ms: u64) -> DenyOutcome {
        if self.has_ended(now_ms) {
            DenyOutcome::Unknown
        } else if self.is_decided() {
            DenyOutcome::Resolved
        } else if self.current_claim(now_ms).is_some() {
            DenyOutcome::InProgress
        } else {
            self.events.push((now_ms, Event::Denied));
            DenyOutcome::Denied(grant_request())
        }
    }

    pub(super) fn redeem(&mut self, token_id: TokenId, now_ms: u64) -> bool {
        let redeems = !self.has_ended(now_ms) && self.has(Event::Approved) && token_id == self.approval.token_id;
        if redeems {
            self.events.push((now_ms, Event::Redeemed));
        }
        redeems
    }

    pub(super) fn is_pending(&self, now_ms: u64) -> bool {
        !self.has_ended(now_ms) && !self.is_decided()
    }
}
