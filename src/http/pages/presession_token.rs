//! The token that protects the sign-in form against login CSRF: a cookie and a field of the form both hold it. Without
//! it another site could sign a person in to an account that is not theirs, and let them approve devices for it.

use crate::{
    domain::{
        Result,
        secret::{Secret, constant_time_eq},
    },
    ports::entropy::Entropy,
};

/// The base name of the cookie, and the name of the form field.
pub(super) const NAME: &str = "signin_token";
/// Characters: 32 bytes in base64url without padding.
const LENGTH: usize = 43;

pub(super) struct PreSessionToken(Secret);

impl PreSessionToken {
    /// The token in the cookie, so that two tabs share it; a new one when the cookie holds none.
    pub(super) fn reuse_or_mint(cookie: Option<&str>, entropy: &dyn Entropy) -> Result<Self> {
        if let Some(known) = cookie.filter(|text| is_token(text)) {
            return Ok(Self(Secret::new(known)));
        }
        Ok(Self(entropy.base64url::<32>()?))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether cookie and form field hold the same token. Compares in constant time.
    pub(super) fn matches(cookie: Option<&str>, field: &str) -> bool {
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
    fn token_in_the_cookie_is_reused_and_others_are_replaced() {
        let first = PreSessionToken::reuse_or_mint(None, &SystemEntropy).expect("a token");
        let again = PreSessionToken::reuse_or_mint(Some(first.expose()), &SystemEntropy).expect("a token");
        let other = PreSessionToken::reuse_or_mint(Some("<not a token>"), &SystemEntropy).expect("a token");
        assert_eq!(first.expose(), again.expose());
        assert_ne!(first.expose(), other.expose());
        assert!(is_token(other.expose()));
    }

    #[test]
    fn only_the_token_of_the_cookie_matches() {
        let token = PreSessionToken::reuse_or_mint(None, &SystemEntropy).expect("a token");
        assert!(PreSessionToken::matches(Some(token.expose()), token.expose()));
        assert!(!PreSessionToken::matches(Some(token.expose()), ""));
        assert!(!PreSessionToken::matches(Some(token.expose()), &"A".repeat(LENGTH)));
        assert!(!PreSessionToken::matches(None, token.expose()));
        assert!(!PreSessionToken::matches(None, ""));
        assert!(!PreSessionToken::matches(Some(""), ""), "an empty cookie");
    }
}
