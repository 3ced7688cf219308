//! The token of a browser that has not signed in yet: in a cookie and in the sign-in form. Without it another site could
//! sign a person in to an account that is not theirs, and have them authorize devices for it.

use crate::{
    domain::{
        Result,
        secret::{Secret, constant_time_eq},
    },
    ports::entropy::Entropy,
};

/// The cookie's base name, and the form field's.
pub(super) const NAME: &str = "signin_token";
/// 32 bytes in base64url.
const LENGTH: usize = 43;

/// A pre-session token.
pub(super) struct PreSession(Secret);

impl PreSession {
    /// The browser's own if it has one, so that two tabs share it; else a new one.
    pub(super) fn resume_or_mint(cookie: Option<&str>, entropy: &dyn Entropy) -> Result<Self> {
        if let Some(known) = cookie.filter(|text| is_token(text)) {
            return Ok(Self(Secret::new(known)));
        }
        Ok(Self(entropy.base64url::<32>()?))
    }

    /// For the cookie and the form.
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether the form was one of ours, in constant time.
    pub(super) fn holds(cookie: Option<&str>, field: &str) -> bool {
        cookie.is_some_and(|cookie| is_token(cookie) && constant_time_eq(cookie.as_bytes(), field.as_bytes()))
    }
}

fn is_token(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::entropy::SystemEntropy;

    #[test]
    fn a_browser_keeps_its_token_and_a_new_one_gets_another() {
        let first = PreSession::resume_or_mint(None, &SystemEntropy).expect("a token");
        let again = PreSession::resume_or_mint(Some(first.expose()), &SystemEntropy).expect("a token");
        let other = PreSession::resume_or_mint(Some("<not a token>"), &SystemEntropy).expect("a token");
        assert_eq!(first.expose(), again.expose());
        assert_ne!(first.expose(), other.expose());
        assert!(is_token(other.expose()));
    }

    #[test]
    fn only_a_form_with_the_cookies_token_holds() {
        let token = PreSession::resume_or_mint(None, &SystemEntropy).expect("a token");
        assert!(PreSession::holds(Some(token.expose()), token.expose()));
        assert!(!PreSession::holds(Some(token.expose()), ""));
        assert!(!PreSession::holds(Some(token.expose()), &"A".repeat(LENGTH)));
        assert!(!PreSession::holds(None, token.expose()));
        assert!(!PreSession::holds(None, ""));
        assert!(!PreSession::holds(Some(""), ""), "an empty cookie is no token");
    }
}
