//! The scripts, each one atomic step: `domain`'s rules in Lua.

use std::sync::LazyLock;

/// A script and the name Redis knows it by.
pub(super) struct Script {
    /// SHA-1 of the code, for `EVALSHA`.
    pub sha: String,
    /// The code itself, for a server that does not have it yet.
    pub code: &'static str,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal)+;)*) => {$(
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let code = concat!($(include_str!($file)),+);
            Script { sha: redis::Script::new(code).get_hash().to_owned(), code }
        });
    )*};
}

scripts! {
    INDEX_PUT = "clock.lua" "index_put.lua";
    INDEX_EXTEND = "clock.lua" "index_extend.lua";
    GRANT_CREATE = "clock.lua" "grant_create.lua";
    GRANT_POLL = "clock.lua" "grant_poll.lua";
    GRANT_PENDING = "clock.lua" "grant_reads.lua" "grant_pending.lua";
    GRANT_CLAIM = "clock.lua" "grant_reads.lua" "grant_claim.lua";
    GRANT_FINISH = "clock.lua" "grant_reads.lua" "grant_finish.lua";
    GRANT_RELEASE = "clock.lua" "grant_reads.lua" "grant_release.lua";
    GRANT_DENY = "clock.lua" "grant_reads.lua" "grant_deny.lua";
    GRANT_REDEEM = "clock.lua" "grant_redeem.lua";
    LIMIT_CHARGE = "clock.lua" "gcra.lua" "limit_charge.lua";
    LIMIT_PEEK = "clock.lua" "gcra.lua" "limit_peek.lua";
    LIMIT_REFUND = "clock.lua" "limit_refund.lua";
    TOKEN_READ = "clock.lua" "gcra.lua" "token_read.lua";
    TOKEN_VERDICT = "token_verdict.lua";
    LOGIN_BEGIN = "clock.lua" "login_reads.lua" "login_begin.lua";
    LOGIN_END = "clock.lua" "login_reads.lua" "login_end.lua";
    LEASE_TAKE = "clock.lua" "lease_take.lua";
    SLOT_TAKE = "clock.lua" "slot_take.lua";
}
