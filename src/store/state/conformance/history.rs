//! A grant by its history: nothing is kept but what happened and when, and every answer is worked out from that afresh.
//! Slower than a state machine, and nothing like one, so that the two do not share their mistakes.

use std::net::IpAddr;

use super::request;
use crate::domain::{
    grant::{Approval, ClaimOutcome, DenyOutcome, PollOutcome},
    id::{ClaimId, TokenId},
};

/// What has happened to a grant. What was refused has not.
#[derive(Clone, Copy, PartialEq)]
enum Fact {
    Polled { early: bool },
    Claimed(ClaimId),
    Released,
    Approved,
    Denied,
    Redeemed,
}

/// A grant of `difyctl` that was asked for at `asked_ms`, and would be approved with `approval`.
pub(super) struct History {
    asked_ms: u64,
    approval: Approval,
    facts: Vec<(u64, Fact)>,
}

impl History {
    pub(super) fn new(asked_ms: u64, approval: Approval) -> Self {
        Self { asked_ms, approval, facts: Vec::new() }
    }

    fn has(&self, fact: Fact) -> bool {
        self.facts.iter().any(|(_, happened)| *happened == fact)
    }

    fn is_decided(&self) -> bool {
        self.has(Fact::Approved) || self.has(Fact::Denied)
    }

    /// Fifteen minutes from the beginning, and a minute from every claim and decision; redeemed, at once.
    fn is_gone(&self, now_ms: u64) -> bool {
        let decisive = |fact: Fact| matches!(fact, Fact::Claimed(_) | Fact::Approved | Fact::Denied);
        let lasts = self.facts.iter().filter(|(_, fact)| decisive(*fact)).map(|(at, _)| at + 60_000);
        now_ms >= lasts.fold(self.asked_ms + 900_000, u64::max) || self.has(Fact::Redeemed)
    }

    /// Who holds the claim: the last who took it, for ten seconds, unless it was given back.
    fn holder(&self, now_ms: u64) -> Option<ClaimId> {
        let last = self.facts.iter().rev().find(|(_, fact)| matches!(fact, Fact::Claimed(_) | Fact::Released))?;
        match last {
            (at, Fact::Claimed(who)) if now_ms < at + 10_000 && !self.is_decided() => Some(*who),
            _ => None,
        }
    }

    pub(super) fn poll(&mut self, client: &str, now_ms: u64) -> PollOutcome {
        if self.is_gone(now_ms) {
            return PollOutcome::Unknown;
        }
        if client != "difyctl" {
            return PollOutcome::ClientMismatch;
        }
        // Five seconds, five more for every poll that came too early, at most sixty; one second early will do.
        let interval = |facts: &[(u64, Fact)]| {
            let early = facts.iter().filter(|(_, fact)| *fact == Fact::Polled { early: true }).count();
            u32::try_from(5 + 5 * early).unwrap().min(60)
        };
        let last = self.facts.iter().rev().find(|(_, fact)| matches!(fact, Fact::Polled { .. }));
        let due = last.map_or(0, |(at, _)| at + u64::from(interval(&self.facts) - 1) * 1_000);
        let early = now_ms < due;
        self.facts.push((now_ms, Fact::Polled { early }));
        let created_ip: IpAddr = request().created_ip;
        if early {
            PollOutcome::SlowDown(interval(&self.facts))
        } else if self.has(Fact::Denied) {
            PollOutcome::Denied
        } else if self.has(Fact::Approved) {
            PollOutcome::Approved { created_ip, approval: self.approval.clone() }
        } else {
            PollOutcome::Pending { created_ip }
        }
    }

    pub(super) fn claim(&mut self, who: ClaimId, now_ms: u64) -> ClaimOutcome {
        if self.is_gone(now_ms) {
            ClaimOutcome::Unknown
        } else if self.is_decided() {
            ClaimOutcome::Resolved
        } else if self.holder(now_ms).is_some() {
            ClaimOutcome::InProgress
        } else {
            self.facts.push((now_ms, Fact::Claimed(who)));
            ClaimOutcome::Taken(request())
        }
    }

    pub(super) fn finish(&mut self, who: ClaimId, now_ms: u64) -> bool {
        let held = !self.is_gone(now_ms) && self.holder(now_ms) == Some(who);
        if held {
            self.facts.push((now_ms, Fact::Approved));
        }
        held
    }

    pub(super) fn release(&mut self, who: ClaimId, now_ms: u64) {
        if self.holder(now_ms) == Some(who) {
            self.facts.push((now_ms, Fact::Released));
        }
    }

    pub(super) fn deny(&mut self, now_ms: u64) -> DenyOutcome {
        if self.is_gone(now_ms) {
            DenyOutcome::Unknown
        } else if self.is_decided() {
            DenyOutcome::Resolved
        } else if self.holder(now_ms).is_some() {
            DenyOutcome::InProgress
        } else {
            self.facts.push((now_ms, Fact::Denied));
            DenyOutcome::Denied(request())
        }
    }

    pub(super) fn redeem(&mut self, token_id: TokenId, now_ms: u64) -> bool {
        let redeems = !self.is_gone(now_ms) && self.has(Fact::Approved) && token_id == self.approval.token_id;
        if redeems {
            self.facts.push((now_ms, Fact::Redeemed));
        }
        redeems
    }

    /// Whether its approver sees it.
    pub(super) fn is_pending(&self, now_ms: u64) -> bool {
        !self.is_gone(now_ms) && !self.is_decided()
    }
}
