//! The requests of the workload, and how their responses are read.

use std::time::Duration;

use super::record::{GrantCall, GrantReply, TokenCall, TokenReply};
use crate::support::Answer;

pub const ACCOUNT: &str = "/openapi/v1/account";
pub const SESSIONS: &str = "/openapi/v1/account/sessions";
pub const APPROVE: &str = "/openapi/v1/oauth/device/approve";
pub const DENY: &str = "/openapi/v1/oauth/device/deny";
pub const LOOKUP: &str = "/openapi/v1/oauth/device/lookup";
pub const REVOKE: &str = "/openapi/v1/oauth/revoke";
pub const INTROSPECT: &str = "/openapi/v1/oauth/introspect";
pub const PROFILE: &str = "/console/api/account/profile";
pub const REFRESH: &str = "/console/api/refresh-token";
pub const LOGOUT: &str = "/console/api/logout";

/// The time limit of a client.
pub const TIMEOUT: Duration = Duration::from_secs(12);

/// Reads the response to a call about a grant, except a token.
pub fn grant_reply(call: GrantCall, answer: &Answer) -> GrantReply {
    let code = answer.code();
    match (call, answer.status, code.as_str()) {
        (GrantCall::Approve | GrantCall::Deny, 200, _) => GrantReply::Decided,
        (GrantCall::Approve | GrantCall::Deny, 409, "already_resolved") => GrantReply::Resolved,
        (GrantCall::Approve | GrantCall::Deny, 409, "approve_in_progress") => GrantReply::InProgress,
        (GrantCall::Approve | GrantCall::Deny, 404, _) => GrantReply::NotFound,
        (GrantCall::Lookup, 200, _) if answer.json()["valid"] == true => GrantReply::Valid,
        (GrantCall::Lookup, 200, _) => GrantReply::Invalid,
        (GrantCall::Poll, 400, "authorization_pending") => GrantReply::Pending,
        (GrantCall::Poll, 400, "access_denied") => GrantReply::Denied,
        (GrantCall::Poll, 400, "expired_token") => GrantReply::Expired,
        (GrantCall::Poll, 400, "slow_down") => GrantReply::SlowDown,
        _ => panic!("{call:?}: {} {}", answer.status, answer.text),
    }
}

/// Reads the response to a call with a token.
pub fn token_reply(call: TokenCall, answer: &Answer) -> TokenReply {
    let code = answer.code();
    match (call, answer.status, code.as_str()) {
        (TokenCall::Use, 200, _) if answer.json()["active"] == false => TokenReply::Invalid,
        (TokenCall::Use, 200, _) => TokenReply::Alive,
        (TokenCall::RevokeSelf | TokenCall::RevokeToken | TokenCall::RevokeSession, 200, _) => TokenReply::Revoked,
        (TokenCall::RevokeSelf | TokenCall::RevokeSession, 404, _) => TokenReply::NotFound,
        (_, 401, "bearer_invalid") => TokenReply::Invalid,
        (_, 401, "bearer_expired") => TokenReply::Expired,
        _ => panic!("{call:?}: {} {}", answer.status, answer.text),
    }
}
