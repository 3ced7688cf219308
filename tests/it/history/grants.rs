//! Judges device grants (contract sections 3 and 6): one decision, one token, and replies that some order explains.

use super::{
    linear::{Operation, is_explained},
    record::{GrantCall, GrantEvent, GrantReply, History, Span, TokenCall, TokenReply},
};

/// The lifetime of a grant, and the minimum lifetime that a decision leaves it, in milliseconds.
const LIFETIME: i64 = 900_000;
const DECIDED_LIFETIME: i64 = 60_000;
/// A call without a reply can still take effect for this long, in milliseconds: a claim lasts 10 s.
const LATE_EFFECT: i64 = 45_000;

/// The state of a grant in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Absent,
    Pending,
    Approved,
    Denied,
    /// Redeemed, expired, or lost with the data of Redis.
    Gone,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Call(GrantCall, GrantReply),
    /// `access_denied`, also for a token that was withdrawn.
    DeniedOrWithdrawn,
    /// Redis lost its data.
    Loss,
    Expiry,
}

/// The faults of all grants.
pub fn judge(history: &History) -> Vec<String> {
    let mut faults = Vec::new();
    for grant in 0..history.lines.len() {
        let events: Vec<_> = history.grants.iter().filter(|event| event.grant == grant).collect();
        let fault = judge_counts(&events).or_else(|| judge_expiry(&events)).or_else(|| judge_order(history, &events));
        if let Some(fault) = fault {
            faults.push(format!("grant {grant}: {fault}: {events:#?}"));
        }
    }
    faults
}

fn judge_counts(events: &[&GrantEvent]) -> Option<&'static str> {
    let count = |filter: &dyn Fn(&GrantEvent) -> bool| events.iter().filter(|event| filter(event)).count();
    let tokens = count(&|event| matches!(event.reply, GrantReply::Token(_)));
    let decisions = count(&|event| event.reply == GrantReply::Decided);
    let denials = count(&|event| event.call == GrantCall::Deny && event.reply == GrantReply::Decided);
    if tokens > 1 {
        Some("the device code yields two tokens")
    } else if decisions > 1 {
        Some("two decisions succeed")
    } else if tokens > 0 && denials > 0 {
        Some("a denied grant yields a token")
    } else {
        None
    }
}

/// A grant that has surely expired yields nothing. The latest decision may have extended it.
fn judge_expiry(events: &[&GrantEvent]) -> Option<&'static str> {
    let created = events.iter().find(|event| event.call == GrantCall::Create)?;
    let decisions = events.iter().filter(|event| matches!(event.call, GrantCall::Approve | GrantCall::Deny));
    let extended = decisions.map(|event| event.span.service_end + DECIDED_LIFETIME + LATE_EFFECT).max();
    let deadline = (created.span.service_end + LIFETIME).max(extended.unwrap_or_default());
    let is_live = |event: &&&GrantEvent| {
        use GrantReply::{Decided, Denied, Pending, Token, Valid};
        matches!(event.reply, Pending | Token(_) | Denied | Valid | Decided) && event.span.service_start > deadline
    };
    events.iter().find(is_live).map(|_| "the grant lives after its expiry")
}

fn judge_order(history: &History, events: &[&GrantEvent]) -> Option<&'static str> {
    let created = events.iter().find(|event| event.call == GrantCall::Create)?;
    let mut operations: Vec<_> = events.iter().map(|event| operation(history, event)).collect();
    let end = events.iter().map(|event| event.span.end).max().unwrap_or_default();
    for loss in history.losses.iter().filter(|loss| loss.end > created.span.start && loss.start < end) {
        operations.push(Operation { start: loss.start, end: loss.end, is_optional: false, what: Step::Loss });
    }
    if let Some(start) = reaches(history, created.span.service_start + LIFETIME) {
        operations.push(Operation { start, end: u64::MAX, is_optional: true, what: Step::Expiry });
    }
    let explained = is_explained(State::Absent, &operations, |state, step| next(*state, step));
    (!explained).then_some("no order of the calls explains the replies")
}

fn operation(history: &History, event: &GrantEvent) -> Operation<Step> {
    let is_unknown = event.reply == GrantReply::Unknown;
    let withdrawn = event.reply == GrantReply::Denied && may_be_withdrawn(history, event);
    Operation {
        start: event.span.start,
        end: if is_unknown { u64::MAX } else { event.span.end },
        is_optional: is_unknown,
        what: if withdrawn { Step::DeniedOrWithdrawn } else { Step::Call(event.call, event.reply) },
    }
}

fn next(state: State, step: &Step) -> Option<State> {
    use GrantCall::{Approve, Create, Deny, Lookup, Poll};
    use GrantReply::{
        Created, Decided, Denied, Expired, InProgress, Invalid, NotFound, Pending, SlowDown, Token, Valid,
    };
    let stays = |allowed: bool| allowed.then_some(state);
    let moves = |from: State, to: State| (state == from).then_some(to);
    match step {
        Step::Loss => Some(if state == State::Absent { State::Absent } else { State::Gone }),
        Step::Expiry => Some(State::Gone),
        Step::DeniedOrWithdrawn => stays(matches!(state, State::Denied | State::Approved)),
        Step::Call(call, reply) => match (call, reply) {
            (Create, Created) => moves(State::Absent, State::Pending),
            (Approve, Decided | GrantReply::Unknown) => moves(State::Pending, State::Approved),
            (Deny, Decided | GrantReply::Unknown) => moves(State::Pending, State::Denied),
            (Poll, Token(_) | GrantReply::Unknown) => moves(State::Approved, State::Gone),
            (Approve | Deny, GrantReply::Resolved) => stays(matches!(state, State::Approved | State::Denied)),
            (Approve | Deny, NotFound) | (Poll, Expired) => stays(state == State::Gone),
            (Lookup, Valid) | (Poll, Pending) => stays(state == State::Pending),
            (Lookup, Invalid) => stays(state != State::Pending),
            (Poll, Denied) => stays(state == State::Denied),
            // The claim of an approval is no state of its own.
            (Approve | Deny, InProgress) | (Poll, SlowDown) | (Lookup, GrantReply::Unknown) => Some(state),
            _ => None,
        },
    }
}

/// Whether the token of an approved grant may have ended before its delivery: by a failed approval, by another sign-in
/// of the device, by a revocation of the session, or by its expiry.
fn may_be_withdrawn(history: &History, poll: &GrantEvent) -> bool {
    let line = history.lines[poll.grant];
    let began_before = |span: &Span| span.start < poll.span.end;
    let by_approval = history.grants.iter().any(|event| {
        event.call == GrantCall::Approve
            && history.lines[event.grant] == line
            && (event.grant != poll.grant || event.reply != GrantReply::Decided)
            && began_before(&event.span)
    });
    by_approval
        || history.token_events.iter().any(|event| {
            event.call == TokenCall::RevokeSession
                && matches!(event.reply, TokenReply::Revoked | TokenReply::Unknown)
                && history.lines[history.tokens[event.token].grant] == line
                && began_before(&event.span)
        })
}

/// The first known real time at which the clock of the service had reached a time.
fn reaches(history: &History, service_time: i64) -> Option<u64> {
    // The clock runs on, and steps between two known points, so the point before the first that is past counts. Only
    // the end of a span has the fastest clock.
    let points = history.grants.iter().map(|event| (event.span.end, event.span.service_end));
    let (mut last_before, mut is_reached) = (0, false);
    for (real, service) in points {
        if service < service_time {
            last_before = last_before.max(real);
        } else {
            is_reached = true;
        }
    }
    is_reached.then_some(last_before)
}
