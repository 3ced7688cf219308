//! The cookie by which a browser proves that an account has signed in with it before: `ID.PROOF…`. A proof is an HMAC
//! over the browser's id and the account's email address, so the cookie names no account (contract section 8).

use super::{
    key::KeyRing,
    secret::{Secret, constant_time_eq},
};

/// Accounts that one browser remembers; the one that signed in least recently is dropped.
const MAX_ACCOUNTS: usize = 4;
/// Characters of an id: 16 bytes in base64url without padding.
const ID_LENGTH: usize = 22;
/// Characters of a proof: 32 bytes in hexadecimal.
const PROOF_LENGTH: usize = 64;

/// A browser with the proofs of its cookie, which may be forged.
#[derive(Clone)]
pub(crate) struct KnownBrowser {
    id: String,
    /// Most recent first.
    proofs: Vec<String>,
}

impl KnownBrowser {
    /// Reads a cookie; `None` for anything that is not shaped like one.
    pub(crate) fn parse(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let id = parts.next().filter(|id| id.len() == ID_LENGTH && id.bytes().all(is_base64url))?.to_owned();
        let proofs: Vec<String> = parts.by_ref().take(MAX_ACCOUNTS).map(str::to_owned).collect();
        let is_proof = |text: &String| text.len() == PROOF_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (parts.next().is_none() && proofs.iter().all(is_proof)).then_some(Self { id, proofs })
    }

    /// A browser without accounts. `id` has 16 random bytes in base64url.
    pub(crate) fn new(id: &Secret) -> Self {
        Self { id: id.expose().to_owned(), proofs: Vec::new() }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the account with this email address has signed in with this browser.
    pub(crate) fn has(&self, keys: &KeyRing, email: &str) -> bool {
        let expected = keys.known_browser_proofs(&self.id, email);
        self.proofs.iter().any(|proof| expected.iter().any(|one| constant_time_eq(one.as_bytes(), proof.as_bytes())))
    }

    /// Adds the account that has just signed in.
    #[must_use]
    pub(crate) fn with(mut self, keys: &KeyRing, email: &str) -> Self {
        let all = keys.known_browser_proofs(&self.id, email);
        self.proofs.retain(|proof| !all.contains(proof));
        self.proofs.insert(0, keys.known_browser_proof(&self.id, email));
        self.proofs.truncate(MAX_ACCOUNTS);
        self
    }

    /// The value of the cookie.
    pub(crate) fn cookie(&self) -> Secret {
        Secret::new(std::iter::once(&self.id).chain(&self.proofs).map(String::as_str).collect::<Vec<_>>().join("."))
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(secret: &str) -> KeyRing {
        KeyRing::new(Secret::new(secret), Vec::new())
    }

    fn browser() -> KnownBrowser {
        KnownBrowser::new(&Secret::new("abcdefghijklmnopqrstu_"))
    }

    #[test]
    fn only_accounts_that_signed_in_are_known() {
        let keys = keys("a secret of some length");
        let cookie = browser().with(&keys, "ada@example.com").with(&keys, "bob@example.com").cookie();
        let browser = KnownBrowser::parse(cookie.expose()).expect("a cookie");
        assert!(browser.has(&keys, "ada@example.com") && browser.has(&keys, "bob@example.com"));
        assert!(!browser.has(&keys, "eve@example.com"));
        assert!(!browser.has(&self::keys("another secret of some length"), "ada@example.com"));
        assert!(!cookie.expose().contains("ada"));
    }

    #[test]
    fn proof_of_another_browser_is_not_accepted() {
        let keys = keys("a secret of some length");
        let cookie = browser().with(&keys, "ada@example.com").cookie();
        let moved = cookie.expose().replacen("abc", "abd", 1);
        assert!(!KnownBrowser::parse(&moved).expect("a cookie").has(&keys, "ada@example.com"));
    }

    #[test]
    fn proof_under_a_previous_key_is_accepted_and_replaced() {
        let old = keys("the previous secret key");
        let cookie = browser().with(&old, "ada@example.com").cookie();
        let keys = KeyRing::new(Secret::new("the current secret key"), vec![Secret::new("the previous secret key")]);
        let browser = KnownBrowser::parse(cookie.expose()).expect("a cookie");
        assert!(browser.has(&keys, "ada@example.com"));
        let renewed = browser.with(&keys, "ada@example.com");
        assert_eq!(renewed.proofs.len(), 1);
        assert!(!renewed.has(&old, "ada@example.com"));
    }

    #[test]
    fn fifth_account_replaces_the_least_recent_one() {
        let keys = keys("a secret of some length");
        let mails: Vec<_> = (0..5).map(|number| format!("{number}@example.com")).collect();
        let browser = mails.iter().fold(browser(), |browser, email| browser.with(&keys, email));
        assert!(!browser.has(&keys, &mails[0]) && mails[1..].iter().all(|email| browser.has(&keys, email)));
        assert!(KnownBrowser::parse(browser.cookie().expose()).is_some());
    }

    proptest! {
        #[test]
        fn any_cookie_is_rejected_or_kept(text in "[A-Za-z0-9_-]{22}(\\.[0-9a-f]{63,65}){0,6}|.{0,60}") {
            if let Some(browser) = KnownBrowser::parse(&text) {
                let cookie = browser.cookie();
                prop_assert_eq!(cookie.expose(), &text);
                prop_assert!(!browser.has(&keys("a secret of some length"), "ada@example.com"));
            }
        }
    }
}
