//! Notices: what a page reports after a redirect, such as a rejected form or a revoked session. The query of the
//! redirect names the notice, so that neither reloading nor going back submits a form again. It is signed for the
//! browser that is redirected, so that a link from elsewhere shows no notice.

use crate::domain::{key::KeyRing, secret::constant_time_eq};

/// The query parameter: `WORD.SIGNATURE`, or `WORD-END.SIGNATURE`.
pub(super) const PARAMETER: &str = "notice";
/// The base name of the cookie whose value is part of the signature: 16 random bytes in base64url without padding.
pub(super) const COOKIE: &str = "notices";
/// Characters of the cookie.
const COOKIE_LENGTH: usize = 22;
/// Characters of a signature: 128 bits in hexadecimal.
const SIGNATURE_LENGTH: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The name of the notice. Each page shows only those that it knows.
    pub word: String,
    /// The end of a wait, in seconds since the epoch.
    pub until: Option<i64>,
}

impl Notice {
    /// Reads the query parameter; `None` unless it was signed for the browser with this cookie.
    pub(super) fn read(parameter: &str, cookie: &str, keys: &KeyRing) -> Option<Self> {
        let (text, signature) = parameter.rsplit_once('.')?;
        let expected = sign(text, cookie, keys);
        constant_time_eq(expected.as_bytes(), signature.as_bytes()).then(|| Self::parse(text)).flatten()
    }

    /// The query parameter, signed for the browser with this cookie.
    pub(super) fn parameter(&self, cookie: &str, keys: &KeyRing) -> String {
        let text = match self.until {
            Some(until) => format!("{}-{until}", self.word),
            None => self.word.clone(),
        };
        format!("{PARAMETER}={text}.{}", sign(&text, cookie, keys))
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('-') {
            Some((word, until)) => Some(Self { word: word.to_owned(), until: Some(until.parse().ok()?) }),
            None => Some(Self { word: text.to_owned(), until: None }),
        }
    }
}

/// Whether a cookie can be part of a signature.
pub(super) fn is_cookie(value: &str) -> bool {
    value.len() == COOKIE_LENGTH
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn sign(text: &str, cookie: &str, keys: &KeyRing) -> String {
    let mut signature = keys.notice_signature(cookie, text);
    signature.truncate(SIGNATURE_LENGTH);
    signature
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    const COOKIE: &str = "abcdefghijklmnopqrstu_";

    fn keys() -> KeyRing {
        KeyRing::new(Secret::new("a secret of some length"), Vec::new())
    }

    fn value(notice: &Notice) -> String {
        notice.parameter(COOKIE, &keys()).strip_prefix("notice=").expect("the parameter").to_owned()
    }

    #[test]
    fn notice_is_read_by_the_browser_that_it_was_signed_for() {
        assert!(is_cookie(COOKIE));
        for until in [None, Some(1_764_512_345)] {
            let notice = Notice { word: "rate_limited".to_owned(), until };
            assert_eq!(Notice::read(&value(&notice), COOKIE, &keys()), Some(notice.clone()));
            assert_eq!(Notice::read(&value(&notice), "another_browser_123456", &keys()), None);
            let others = KeyRing::new(Secret::new("another secret of some length"), Vec::new());
            assert_eq!(Notice::read(&value(&notice), COOKIE, &others), None);
        }
    }

    #[test]
    fn changed_or_unsigned_notices_are_not_read() {
        let signed = value(&Notice { word: "locked".to_owned(), until: Some(1_764_512_345) });
        let changed = [
            "locked".to_owned(),
            "locked.".to_owned(),
            ".".to_owned(),
            String::new(),
            signed.replace("locked", "revoked"),
            signed.replace("1764512345", "1764512346"),
            signed.replace("-1764512345", ""),
            signed[..signed.len() - 1].to_owned(),
            format!("{signed}0"),
        ];
        for parameter in changed {
            assert_eq!(Notice::read(&parameter, COOKIE, &keys()), None, "{parameter}");
        }
    }
}
