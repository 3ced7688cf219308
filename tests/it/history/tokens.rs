//! Judges bearer tokens (contract section 3): a token of a 200 works until it is revoked, rotated or expired, and never
//! afterwards.

use std::collections::BTreeSet;

use super::record::{GrantCall, GrantEvent, GrantReply, History, Token, TokenCall, TokenEvent, TokenReply};

/// Tolerance of expiry, in milliseconds: `expires_at` has whole seconds.
const EXPIRY_TOLERANCE: i64 = 2_000;

/// The faults of all tokens.
pub fn judge(history: &History) -> Vec<String> {
    let mut faults = Vec::new();
    for (nth, token) in history.tokens.iter().enumerate() {
        let events: Vec<_> = history.token_events.iter().filter(|event| event.token == nth).collect();
        let life = Life::of(history, nth, token);
        if let Some(fault) = life.judge(&events) {
            faults.push(format!("token {nth} of grant {}: {fault}: {events:#?}, {:#?}", token.grant, life.line));
        }
    }
    faults
}

/// What ended a token, or may have.
struct Life<'a> {
    history: &'a History,
    token: &'a Token,
    /// The events of the grants of the same account and device label.
    line: Vec<&'a GrantEvent>,
    /// Real times after which the token must be rejected.
    deaths: Vec<u64>,
    /// Real times from which the token may be rejected.
    causes: Vec<u64>,
    /// Whether a call without a definite reply may have ended it.
    is_doubtful: bool,
}

impl<'a> Life<'a> {
    fn of(history: &'a History, nth: usize, token: &'a Token) -> Self {
        let line_of = |grant: usize| history.lines[grant];
        let line = history.grants.iter().filter(|event| line_of(event.grant) == line_of(token.grant)).collect();
        let mut token_life = Self { history, token, line, deaths: Vec::new(), causes: Vec::new(), is_doubtful: false };
        token_life.add_revocations(nth);
        token_life.add_rotations();
        token_life
    }

    /// When the token was surely minted.
    fn minted(&self) -> u64 {
        let own = self.line.iter().filter(|event| event.grant == self.token.grant);
        let ends = own.filter(|event| matches!(event.reply, GrantReply::Decided | GrantReply::Token(_)));
        ends.map(|event| event.span.end).min().unwrap_or(u64::MAX)
    }

    /// When the token was minted at the earliest.
    fn first_approval(&self, grant: usize) -> u64 {
        self.approvals(grant).iter().map(|event| event.span.start).min().unwrap_or(u64::MAX)
    }

    /// The approvals of a grant that may have minted.
    fn approvals(&self, grant: usize) -> Vec<&'a GrantEvent> {
        let may_mint = |event: &GrantEvent| {
            matches!(event.reply, GrantReply::Decided | GrantReply::InProgress | GrantReply::Unknown)
        };
        let approvals = self.line.iter().copied().filter(|event| event.call == GrantCall::Approve);
        approvals.filter(|event| event.grant == grant && may_mint(event)).collect()
    }

    fn add_revocations(&mut self, nth: usize) {
        let minted = self.minted();
        for event in &self.history.token_events {
            let same_session = self.history.tokens[event.token].session == self.token.session;
            // A session's id names the token that is current when the call takes effect.
            let aims = if event.call == TokenCall::RevokeSession { same_session } else { event.token == nth };
            if event.call == TokenCall::Use || !aims {
                continue;
            }
            let is_after_mint = event.call != TokenCall::RevokeSession || event.span.start >= minted;
            match event.reply {
                TokenReply::Revoked => {
                    self.causes.push(event.span.start);
                    if is_after_mint {
                        self.deaths.push(event.span.end);
                    }
                }
                // There is no such session, so its tokens are not live.
                TokenReply::NotFound if is_after_mint => self.deaths.push(event.span.end),
                TokenReply::Unknown => {
                    self.causes.push(event.span.start);
                    self.is_doubtful = true;
                }
                TokenReply::NotFound | TokenReply::Alive | TokenReply::Invalid | TokenReply::Expired => {}
            }
        }
    }

    /// Another approval for the same device rotates the session, and so may a failed one.
    fn add_rotations(&mut self) {
        let (minted, own_first) = (self.minted(), self.first_approval(self.token.grant));
        let grants: BTreeSet<_> = self.line.iter().map(|event| event.grant).collect();
        for grant in grants {
            let is_own = grant == self.token.grant;
            let attempts = self.approvals(grant).len();
            for approval in self.approvals(grant) {
                let is_unknown = approval.reply == GrantReply::Unknown;
                // The only approval of the token's own grant has minted it, whatever its reply was.
                let mints_another = !is_own || (attempts > 1 && approval.reply != GrantReply::Decided);
                if !mints_another || (!is_unknown && approval.span.end < own_first) {
                    continue;
                }
                self.causes.push(approval.span.start);
                self.is_doubtful |= approval.reply != GrantReply::Decided;
                if !is_own && approval.reply == GrantReply::Decided && approval.span.start >= minted {
                    self.deaths.push(approval.span.end);
                }
            }
            let is_delivery =
                |event: &&&GrantEvent| event.grant == grant && matches!(event.reply, GrantReply::Token(_));
            let delivered = self.line.iter().find(is_delivery);
            if let Some(delivered) = delivered.filter(|_| !is_own && self.first_approval(grant) >= minted) {
                self.deaths.push(delivered.span.end);
            }
        }
    }

    fn judge(&self, events: &[&TokenEvent]) -> Option<&'static str> {
        let final_replies = events.iter().filter(|event| event.is_final).map(|event| event.reply);
        let (alive, dead): (Vec<_>, Vec<_>) = final_replies.partition(|reply| *reply == TokenReply::Alive);
        if !alive.is_empty() && !dead.is_empty() {
            return Some("the replicas disagree after the recovery");
        }
        events.iter().find_map(|event| self.judge_event(event, events))
    }

    fn judge_event(&self, event: &TokenEvent, events: &[&TokenEvent]) -> Option<&'static str> {
        let span = event.span;
        match event.reply {
            TokenReply::Alive => self.judge_alive(event, events),
            TokenReply::Revoked if event.call == TokenCall::RevokeSelf => self.judge_alive(event, events),
            TokenReply::Expired if span.service_end + EXPIRY_TOLERANCE < self.token.expires_at => {
                Some("the token expires early")
            }
            TokenReply::Invalid => {
                let has_cause = self.causes.iter().any(|cause| *cause < span.end);
                let has_expired = span.service_end + EXPIRY_TOLERANCE >= self.token.expires_at;
                (!has_cause && !has_expired).then_some("the token is lost without a cause")
            }
            _ => None,
        }
    }

    fn judge_alive(&self, event: &TokenEvent, events: &[&TokenEvent]) -> Option<&'static str> {
        let span = event.span;
        if self.deaths.iter().any(|death| *death < span.start) {
            return Some("the token is alive after its end was reported");
        }
        if span.service_start > self.token.expires_at + EXPIRY_TOLERANCE {
            return Some("the token is alive after its expiry");
        }
        let was_dead = events.iter().any(|earlier| {
            matches!(earlier.reply, TokenReply::Invalid | TokenReply::Expired) && earlier.span.end < span.start
        });
        (was_dead && !self.is_doubtful).then_some("a rejected token is accepted again")
    }
}
