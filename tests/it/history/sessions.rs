//! Judges the browser sessions of the console (contract section 6): a refresh token has one successor at most, a family
//! has one live line, and an ended family stays ended.

use std::collections::BTreeMap;

use super::{
    linear::{Operation, is_explained},
    record::{History, SessionCall, SessionEvent, SessionReply},
};

/// Which generation of a family is current; `None` when a call without a reply made one that no caller received.
type Family = (Option<usize>, Ended);
type Ended = bool;

/// The lifetime of access cookies, in milliseconds, and the tolerance.
const ACCESS_LIFETIME: i64 = 3_600_000;
const TOLERANCE: i64 = 2_000;

/// The faults of all families.
pub fn judge(history: &History) -> Vec<String> {
    let mut families: BTreeMap<usize, Vec<&SessionEvent>> = BTreeMap::new();
    for event in &history.sessions {
        families.entry(event.session).or_default().push(event);
    }
    let faults = families.into_iter().filter_map(|(session, events)| {
        let fault = judge_successors(&events).or_else(|| judge_order(&events))?;
        Some(format!("browser session {session}: {fault}: {events:#?}"))
    });
    faults.collect()
}

fn judge_successors(events: &[&SessionEvent]) -> Option<&'static str> {
    let mut successors: BTreeMap<usize, usize> = BTreeMap::new();
    for event in events {
        if event.call == SessionCall::Refresh && matches!(event.reply, SessionReply::Renewed(_)) {
            *successors.entry(event.generation).or_default() += 1;
        }
    }
    successors.values().any(|count| *count > 1).then_some("a refresh token has two successors")
}

fn judge_order(events: &[&SessionEvent]) -> Option<&'static str> {
    let calls = events.iter().filter(|event| event.call != SessionCall::SignIn && !is_expired_access(events, event));
    let operations = calls.map(|event| {
        let is_unknown = event.reply == SessionReply::Unknown;
        Operation {
            start: event.span.start,
            end: if is_unknown { u64::MAX } else { event.span.end },
            is_optional: is_unknown,
            what: (event.call, event.generation, event.reply),
        }
    });
    let operations: Vec<_> = operations.collect();
    let explained = is_explained((Some(0), false), &operations, next);
    (!explained).then_some("no order of the calls explains the replies")
}

fn next(&(current, ended): &Family, &(call, generation, reply): &(SessionCall, usize, SessionReply)) -> Option<Family> {
    use SessionCall::{Logout, Profile, Refresh};
    use SessionReply::{Alive, Renewed, Superseded, Unknown};
    let is_current = current == Some(generation);
    match (call, reply) {
        (Profile, Alive) => (!ended).then_some((current, ended)),
        (Profile, Unknown) => Some((current, ended)),
        (Logout, Alive) => (!ended).then_some((current, true)),
        (Refresh, Renewed(successor)) => (is_current && !ended).then_some((Some(successor), false)),
        (Refresh, Superseded) => (!is_current && !ended).then_some((current, ended)),
        // A reuse ends the family, if nothing has before.
        (Refresh, SessionReply::Ended) => (ended || !is_current).then_some((current, true)),
        (Refresh, Unknown) if is_current => Some((None, ended)),
        (Refresh | Logout, Unknown) => Some((current, true)),
        (Profile | Logout, SessionReply::Ended) => ended.then_some((current, ended)),
        _ => None,
    }
}

/// Whether a rejected access cookie may simply have expired.
fn is_expired_access(events: &[&SessionEvent], event: &SessionEvent) -> bool {
    let is_rejected = event.call != SessionCall::Refresh && event.reply == SessionReply::Ended;
    let issued = events.iter().find(|earlier| earlier.reply == SessionReply::Renewed(event.generation));
    let issued = issued.map(|event| event.span.service_start).unwrap_or_default();
    is_rejected && event.span.service_end + TOLERANCE >= issued + ACCESS_LIFETIME
}
