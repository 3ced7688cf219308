//! What a workload records: every call with its start, its end and its reply.

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::support::clock::TestClock;
use dify_openapi::testing::ports::Clock as _;

/// When a call began and ended. A call without a definite reply may take effect at any time after its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// Microseconds of real time since the start of the workload.
    pub start: u64,
    pub end: u64,
    /// Milliseconds since the epoch: at the start by the slowest clock of a replica, at the end by the fastest.
    pub service_start: i64,
    pub service_end: i64,
}

/// A call about a device grant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GrantCall {
    Create,
    Lookup,
    Approve,
    Deny,
    Poll,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GrantReply {
    Created,
    /// The code can be decided.
    Valid,
    /// The code cannot be decided.
    Invalid,
    /// The approval or denial succeeded.
    Decided,
    /// 409 `already_resolved`.
    Resolved,
    /// 409 `approve_in_progress`.
    InProgress,
    NotFound,
    Pending,
    /// The index of the token in `History::tokens`.
    Token(usize),
    Denied,
    Expired,
    SlowDown,
    /// 503, or no reply.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct GrantEvent {
    pub grant: usize,
    pub call: GrantCall,
    pub reply: GrantReply,
    pub span: Span,
}

/// A token that a poll returned.
#[derive(Clone, Debug)]
pub struct Token {
    pub secret: String,
    pub grant: usize,
    /// The id of its session, which outlives a rotation.
    pub session: String,
    /// Milliseconds since the epoch by the clock of the service.
    pub expires_at: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenCall {
    /// A request with the token, or its introspection.
    Use,
    /// The session of the request's token.
    RevokeSelf,
    /// RFC 7009, with the token.
    RevokeToken,
    /// The session's id, with another token of the account.
    RevokeSession,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenReply {
    Alive,
    Invalid,
    Expired,
    Revoked,
    NotFound,
    /// 503, or no reply.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct TokenEvent {
    pub token: usize,
    pub call: TokenCall,
    pub reply: TokenReply,
    pub span: Span,
    /// Whether all faults had ended: replicas must agree.
    pub is_final: bool,
}

/// A call with the cookies of a browser session. Generation 0 is from the sign-in; each refresh makes the next one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SessionCall {
    SignIn,
    Profile,
    Refresh,
    Logout,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SessionReply {
    Alive,
    /// The new generation.
    Renewed(usize),
    /// 200 without new cookies.
    Superseded,
    Ended,
    Unknown,
}

#[derive(Clone, Debug)]
pub struct SessionEvent {
    pub session: usize,
    /// The generation of the cookies of the request.
    pub generation: usize,
    pub call: SessionCall,
    pub reply: SessionReply,
    pub span: Span,
}

/// Everything that a workload recorded.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub grants: Vec<GrantEvent>,
    /// The line of each grant: the account and the device label, of which one token at most is live.
    pub lines: Vec<usize>,
    pub tokens: Vec<Token>,
    pub token_events: Vec<TokenEvent>,
    pub sessions: Vec<SessionEvent>,
    /// When Redis lost its data: from the kill to the restart.
    pub losses: Vec<Span>,
}

/// Records the calls of concurrent actors.
pub struct Recorder {
    began: Instant,
    /// The clock of the slowest replica.
    slow: TestClock,
    /// The clock of the fastest replica, which differs only while the clocks are moved.
    fast: TestClock,
    history: Mutex<History>,
}

impl Recorder {
    pub fn new(slow: TestClock) -> Self {
        let fast = TestClock::default();
        fast.set_offset(slow.offset());
        Self { began: Instant::now(), slow, fast, history: Mutex::default() }
    }

    /// Announces that the clocks of replicas will have this offset.
    pub fn expect_offset(&self, offset: i64) {
        self.fast.set_offset(offset);
    }

    /// A span that starts now.
    pub fn start(&self) -> Span {
        Span { start: self.now(), service_start: self.slow.now().timestamp_millis(), ..Span::default() }
    }

    /// The span, ended now.
    pub fn end(&self, span: Span) -> Span {
        Span { service_end: self.fast.now().timestamp_millis(), end: self.now(), ..span }
    }

    pub fn change<T>(&self, change: impl FnOnce(&mut History) -> T) -> T {
        change(&mut self.history.lock())
    }

    pub fn snapshot(&self) -> History {
        self.history.lock().clone()
    }

    pub fn snapshot_tokens(&self) -> Vec<Token> {
        self.change(|history| history.tokens.clone())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }
}
