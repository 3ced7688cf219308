//! The cookie that binds sign-ins and authorizations to the browser that started them (login CSRF, RFC 9700 section
//! 4.7).
//!
//! Each started one has a mark, and the cookie holds the proofs of the latest marks, so that several tabs can sign in
//! at the same time.

use crate::domain::{
    key::KeyRing,
    secret::{Secret, constant_time_eq},
};

/// Sign-ins of one browser at the same time; older ones are dropped.
const MAX_PROOFS: usize = 8;
/// Characters of a proof: HMAC-SHA256 in hexadecimal.
const PROOF_LENGTH: usize = 64;

/// The sign-ins that a browser has started.
pub(super) struct BrowserMarks(Vec<String>);

impl BrowserMarks {
    /// Reads the cookie. Whatever is no proof is dropped.
    pub(super) fn parse(cookie: Option<&str>) -> Self {
        let is_proof = |text: &&str| text.len() == PROOF_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let proofs = cookie.unwrap_or_default().split('.').filter(is_proof).take(MAX_PROOFS);
        Self(proofs.map(str::to_owned).collect())
    }

    /// The value of the cookie with one more mark, the newest first.
    pub(super) fn with(mut self, mark: &str, keys: &KeyRing) -> Secret {
        self.0.insert(0, keys.sso_browser_proof(mark));
        self.0.truncate(MAX_PROOFS);
        Secret::new(self.0.join("."))
    }

    /// Whether the browser has started the sign-in with this mark.
    pub(super) fn contain(&self, mark: &str, keys: &KeyRing) -> bool {
        let accepted = keys.sso_browser_proofs(mark);
        self.0.iter().any(|held| accepted.iter().any(|proof| constant_time_eq(proof.as_bytes(), held.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_holds_the_latest_marks_and_no_others() {
        let keys = KeyRing::new(Secret::new("a secret of some length"), Vec::new());
        let mut cookie = None;
        for mark in 0..=MAX_PROOFS {
            let value = BrowserMarks::parse(cookie.as_deref()).with(&mark.to_string(), &keys);
            cookie = Some(value.expose().to_owned());
        }
        let marks = BrowserMarks::parse(cookie.as_deref());
        assert!(!marks.contain("0", &keys), "the oldest is dropped");
        assert!((1..=MAX_PROOFS).all(|mark| marks.contain(&mark.to_string(), &keys)));
        assert!(!marks.contain("9", &keys) && !BrowserMarks::parse(None).contain("1", &keys));
        let others = KeyRing::new(Secret::new("another secret of some length"), Vec::new());
        assert!(!marks.contain("1", &others));
        let rotated =
            KeyRing::new(Secret::new("another secret of some length"), vec![Secret::new("a secret of some length")]);
        assert!(marks.contain("1", &rotated));
    }

    #[test]
    fn any_other_text_holds_no_mark() {
        for text in ["", ".", "...", "abc", &"g".repeat(PROOF_LENGTH), &"a.".repeat(5_000)] {
            assert!(BrowserMarks::parse(Some(text)).0.is_empty(), "{text}");
        }
    }
}
