use http::header::WWW_AUTHENTICATE;

use super::{challenge, respond};
use crate::{
    domain::{Code, Error},
    pipeline::policy::{POLICIES, Policy},
};

fn challenge_text(error: &Error) -> Option<String> {
    challenge(error).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn challenge_names_only_errors_of_the_token() {
    let invalid = Some("Bearer error=\"invalid_token\"");
    for code in Code::ALL {
        let expected = match code {
            Code::BearerMissing => Some("Bearer"),
            Code::BearerExpired => Some("Bearer error=\"invalid_token\", error_description=\"The token has expired\""),
            Code::BearerInvalid | Code::UnknownTokenPrefix | Code::InvalidPrefix => invalid,
            Code::InsufficientScope => Some("Bearer error=\"insufficient_scope\", scope=\"apps:run\""),
            _ => None,
        };
        let error = Error::new(*code, "Refused.").with_required_scope("apps:run");
        assert_eq!(challenge_text(&error).as_deref(), expected, "{code:?}");
    }
}

#[test]
fn missing_scope_is_in_the_challenge_and_in_the_body() {
    // Every issued token has all scopes of its surface, so no request over a socket gets this error.
    let policy = policy(Policy::challenges);
    let error = Error::new(Code::InsufficientScope, "Refused.").with_required_scope("apps:read");
    let response = respond(&error, Some(policy));
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer error=\"insufficient_scope\", scope=\"apps:read\"");
    let response = respond(&error, None);
    assert!(!response.headers().contains_key(WWW_AUTHENTICATE), "only bearer routes have a challenge");
}

fn policy(which: impl Fn(&Policy) -> bool) -> &'static Policy {
    POLICIES.iter().find(|policy| which(policy)).unwrap()
}
