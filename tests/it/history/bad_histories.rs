//! Histories that a faulty service would produce: the judges reject each, and accept the good ones beside them.

use super::{
    judge,
    record::{
        GrantCall::{self, Approve, Create, Deny, Lookup, Poll},
        GrantEvent,
        GrantReply::{self, Created, Decided, Denied, Expired, NotFound, Pending, Resolved, Valid},
        History, SessionCall, SessionEvent, SessionReply, Span, Token, TokenCall, TokenEvent, TokenReply,
    },
};

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// A span of real milliseconds. The clock of the service shows the same.
fn span(start: u64, end: u64) -> Span {
    let service = |millis: u64| i64::try_from(millis).unwrap();
    Span { start: start * 1_000, end: end * 1_000, service_start: service(start), service_end: service(end) }
}

/// Builds a history of one account's grants on one device label.
#[derive(Default)]
struct Builder(History);

impl Builder {
    /// A grant that was created from 0 to 1.
    fn with_grant() -> Self {
        let mut builder = Self::default();
        builder.add_grant(0);
        builder
    }

    fn add_grant(&mut self, start: u64) -> usize {
        let grant = self.0.lines.len();
        self.0.lines.push(0);
        self.grant(grant, Create, Created, (start, start + 1));
        grant
    }

    fn grant(&mut self, grant: usize, call: GrantCall, reply: GrantReply, (start, end): (u64, u64)) -> &mut Self {
        self.0.grants.push(GrantEvent { grant, call, reply, span: span(start, end) });
        self
    }

    /// Calls about the first grant.
    fn calls(mut self, calls: &[(GrantCall, GrantReply, (u64, u64))]) -> Self {
        for (call, reply, time) in calls {
            self.grant(0, *call, *reply, *time);
        }
        self
    }

    /// The token of a grant's poll.
    fn token(&mut self, grant: usize, time: (u64, u64)) -> usize {
        let token = self.0.tokens.len();
        let session = "session".to_owned();
        self.0.tokens.push(Token { secret: String::new(), grant, session, expires_at: DAY });
        self.grant(grant, Poll, GrantReply::Token(token), time);
        token
    }

    fn used(&mut self, token: usize, call: TokenCall, reply: TokenReply, (start, end): (u64, u64)) -> &mut Self {
        let span = span(start, end);
        self.0.token_events.push(TokenEvent { token, call, reply, span, is_final: false });
        self
    }

    fn assert_good(&self) {
        assert_eq!(judge(&self.0), Vec::<String>::new());
    }

    fn assert_bad(&self, fault: &str) {
        let faults = judge(&self.0);
        assert!(faults.iter().any(|found| found.contains(fault)), "`{fault}` not in {faults:#?}");
    }
}

/// A delivered token: created 0, approved 10–20, polled 30–40.
fn signed_in() -> (Builder, usize) {
    let mut builder = Builder::with_grant().calls(&[(Approve, Decided, (10, 20))]);
    let token = builder.token(0, (30, 40));
    (builder, token)
}

#[test]
fn good_grants_are_accepted() {
    signed_in().0.assert_good();
    let calls = [(Poll, Pending, (5, 8)), (Lookup, Valid, (6, 7)), (Deny, Decided, (10, 20)), (Poll, Denied, (30, 40))];
    Builder::with_grant().calls(&calls).assert_good();
    // An approval without a reply may take effect late, early, or never.
    let unknown = (Approve, GrantReply::Unknown, (10, 20));
    for seen in [(Poll, Pending, (30, 40)), (Approve, Resolved, (30, 40)), (Deny, Decided, (30, 40))] {
        Builder::with_grant().calls(&[unknown, seen]).assert_good();
    }
}

#[test]
fn two_tokens_of_one_device_code_are_rejected() {
    let (mut builder, _) = signed_in();
    builder.token(0, (30, 41));
    builder.assert_bad("two tokens");
}

#[test]
fn two_decisions_are_rejected() {
    Builder::with_grant()
        .calls(&[(Approve, Decided, (10, 20)), (Deny, Decided, (10, 20))])
        .assert_bad("two decisions succeed");
}

#[test]
fn token_of_a_denied_grant_is_rejected() {
    let mut builder = Builder::with_grant().calls(&[(Deny, Decided, (10, 20))]);
    builder.token(0, (30, 40));
    builder.assert_bad("a denied grant yields a token");
}

#[test]
fn token_of_an_expired_grant_is_rejected() {
    let mut builder = Builder::with_grant().calls(&[(Approve, Decided, (10, 20))]);
    builder.token(0, (1_100_000, 1_100_001));
    builder.assert_bad("lives after its expiry");
}

#[test]
fn replies_that_no_order_explains_are_rejected() {
    let fault = "no order of the calls explains";
    for calls in [
        // Pending after the approval was confirmed.
        [(Approve, Decided, (10, 20)), (Poll, Pending, (30, 40))],
        // Decided before anybody decided.
        [(Poll, Denied, (10, 20)), (Deny, Decided, (30, 40))],
        [(Approve, Resolved, (10, 20)), (Approve, Decided, (30, 40))],
        // Lost without a loss, an expiry or a redemption.
        [(Poll, Expired, (10, 20)), (Poll, Pending, (30, 40))],
        [(Poll, Pending, (10, 20)), (Approve, NotFound, (30, 40))],
        // Alive again after it was gone.
        [(Poll, Expired, (10, 20)), (Approve, Decided, (30, 40))],
    ] {
        Builder::with_grant().calls(&calls).assert_bad(fault);
    }
}

#[test]
fn loss_of_redis_explains_a_lost_grant_but_no_return() {
    let lost = [(Poll, Pending, (10, 20)), (Poll, Expired, (60, 70))];
    let mut builder = Builder::with_grant().calls(&lost);
    builder.0.losses.push(span(30, 50));
    builder.assert_good();
    let mut builder = Builder::with_grant().calls(&[(Poll, Pending, (60, 70))]);
    builder.0.losses.push(span(30, 50));
    builder.assert_bad("no order of the calls explains");
}

#[test]
fn lost_token_is_rejected() {
    let (mut builder, token) = signed_in();
    builder.used(token, TokenCall::Use, TokenReply::Alive, (45, 46)).assert_good();
    builder.used(token, TokenCall::Use, TokenReply::Invalid, (50, 60)).assert_bad("lost without a cause");
}

#[test]
fn token_that_its_own_unknown_approval_ends_is_rejected() {
    let mut builder = Builder::with_grant().calls(&[(Approve, GrantReply::Unknown, (10, 20))]);
    let token = builder.token(0, (30, 40));
    builder.used(token, TokenCall::Use, TokenReply::Invalid, (50, 60)).assert_bad("lost without a cause");
}

#[test]
fn token_that_is_alive_after_its_revocation_is_rejected() {
    for call in [TokenCall::RevokeSelf, TokenCall::RevokeToken, TokenCall::RevokeSession] {
        let (mut builder, token) = signed_in();
        builder.used(token, call, TokenReply::Revoked, (50, 60));
        builder.used(token, TokenCall::Use, TokenReply::Alive, (55, 65)).assert_good();
        builder.used(token, TokenCall::Use, TokenReply::Alive, (70, 80)).assert_bad("alive after its end");
    }
}

#[test]
fn token_that_is_alive_after_its_session_was_not_found_is_rejected() {
    let (mut builder, token) = signed_in();
    builder.used(token, TokenCall::RevokeSession, TokenReply::Unknown, (50, 60));
    builder.used(token, TokenCall::Use, TokenReply::Invalid, (61, 62));
    builder.used(token, TokenCall::Use, TokenReply::Alive, (63, 64)).assert_good();
    builder.used(token, TokenCall::RevokeSession, TokenReply::NotFound, (70, 80));
    builder.used(token, TokenCall::Use, TokenReply::Alive, (90, 91)).assert_bad("alive after its end");
}

#[test]
fn rotated_token_that_is_alive_is_rejected() {
    let (mut builder, old) = signed_in();
    let next = builder.add_grant(50);
    builder.grant(next, Approve, Decided, (60, 70));
    let new = builder.token(next, (80, 90));
    builder.used(new, TokenCall::Use, TokenReply::Alive, (100, 101));
    builder.used(old, TokenCall::Use, TokenReply::Invalid, (100, 101)).assert_good();
    builder.used(old, TokenCall::Use, TokenReply::Alive, (71, 72)).assert_bad("alive after its end");
}

#[test]
fn old_token_that_revokes_the_new_session_is_rejected() {
    let (mut builder, old) = signed_in();
    let next = builder.add_grant(50);
    builder.grant(next, Approve, Decided, (60, 70));
    let new = builder.token(next, (80, 90));
    builder.used(old, TokenCall::RevokeSelf, TokenReply::Revoked, (60, 95)).assert_good();
    builder.used(new, TokenCall::Use, TokenReply::Invalid, (100, 101)).assert_bad("lost without a cause");
}

#[test]
fn token_that_is_accepted_again_is_rejected() {
    let (mut builder, old) = signed_in();
    let next = builder.add_grant(50);
    builder.grant(next, Approve, Decided, (60, 70));
    builder.used(old, TokenCall::Use, TokenReply::Invalid, (62, 63));
    builder.used(old, TokenCall::Use, TokenReply::Alive, (64, 65)).assert_bad("accepted again");
}

#[test]
fn token_that_is_alive_after_its_expiry_is_rejected() {
    let (mut builder, token) = signed_in();
    let tomorrow = u64::try_from(DAY).unwrap() + 60_000;
    builder.used(token, TokenCall::Use, TokenReply::Expired, (tomorrow, tomorrow + 1)).assert_good();
    builder.used(token, TokenCall::Use, TokenReply::Alive, (tomorrow, tomorrow + 1)).assert_bad("after its expiry");
    let (mut builder, token) = signed_in();
    builder.used(token, TokenCall::Use, TokenReply::Expired, (50, 51)).assert_bad("expires early");
}

#[test]
fn replicas_that_disagree_after_the_recovery_are_rejected() {
    let (mut builder, token) = signed_in();
    builder.used(token, TokenCall::RevokeToken, TokenReply::Unknown, (50, 60));
    for reply in [TokenReply::Alive, TokenReply::Invalid] {
        builder.used(token, TokenCall::Use, reply, (70, 80)).assert_good();
    }
    for event in builder.0.token_events.iter_mut().skip(1) {
        event.is_final = true;
    }
    builder.assert_bad("disagree");
}

/// The calls of one browser session: generation, call, reply, time.
fn sessions(calls: &[(usize, SessionCall, SessionReply, (u64, u64))]) -> Builder {
    let sign_in = (0, SessionCall::SignIn, SessionReply::Renewed(0), (0, 1));
    let events = [sign_in].into_iter().chain(calls.iter().copied()).map(|(generation, call, reply, (start, end))| {
        SessionEvent { session: 0, generation, call, reply, span: span(start, end) }
    });
    Builder(History { sessions: events.collect(), ..History::default() })
}

#[test]
fn split_and_revived_browser_sessions_are_rejected() {
    use SessionCall::{Logout, Profile, Refresh};
    use SessionReply::{Alive, Ended, Renewed, Superseded, Unknown};
    let renewed = (0, Refresh, Renewed(1), (10, 20));
    sessions(&[renewed, (0, Refresh, Superseded, (12, 30)), (1, Profile, Alive, (40, 41))]).assert_good();
    sessions(&[renewed, (0, Refresh, Ended, (30, 40)), (1, Refresh, Ended, (50, 60))]).assert_good();
    sessions(&[(0, Refresh, Unknown, (10, 20)), (0, Refresh, Superseded, (30, 40))]).assert_good();
    sessions(&[renewed, (0, Refresh, Renewed(2), (10, 20))]).assert_bad("two successors");
    for calls in [
        // A family that has ended goes on.
        [(0, Refresh, Renewed(1), (10, 20)), (0, Refresh, Ended, (30, 40)), (1, Refresh, Renewed(2), (50, 60))],
        [(0, Logout, Alive, (10, 20)), (0, Profile, Alive, (30, 40)), (0, Profile, Unknown, (50, 60))],
        // The current token is refused.
        [(0, Refresh, Renewed(1), (10, 20)), (1, Refresh, Ended, (30, 40)), (0, Profile, Unknown, (50, 60))],
        [(0, Profile, Ended, (10, 20)), (0, Profile, Alive, (30, 40)), (0, Profile, Unknown, (50, 60))],
    ] {
        sessions(&calls).assert_bad("no order of the calls explains");
    }
}
