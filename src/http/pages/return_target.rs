//! Where to go after signing in. Only two kinds of page can be named, so that no link can send a person anywhere else.

use crate::domain::id::TokenId;

/// Characters of a handle: 24 bytes of nonce, 16 of tag and 8 of code, in base64url.
const HANDLE_LENGTH: usize = 64;

/// A place to return to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ReturnTarget {
    /// The page of the device whose handle this is.
    Device(String),
    /// The sessions, and which of them the person came from, where that is known.
    Sessions(Option<TokenId>),
    /// Code entry: where everything else ends up.
    #[default]
    EnterCode,
}

impl ReturnTarget {
    /// Reads a target as a link or a form names it; anything but the two paths, to the letter, is code entry.
    pub(super) fn parse(text: &str) -> Self {
        if let Some(id) = text.strip_prefix("/device/sessions?current=") {
            return id.parse().map_or(Self::EnterCode, |id| Self::Sessions(Some(id)));
        }
        match text.strip_prefix("/device/") {
            Some("sessions") => Self::Sessions(None),
            Some(handle) if is_handle(handle) => Self::Device(handle.to_owned()),
            _ => Self::EnterCode,
        }
    }

    /// The target that belongs to a page: itself, or the page it hangs on.
    pub(super) fn of_path(path: &str) -> Self {
        let mut segments = path.strip_prefix("/device/").unwrap_or_default().split('/');
        match segments.next() {
            Some("sessions") => Self::Sessions(None),
            Some(handle) if is_handle(handle) => Self::Device(handle.to_owned()),
            _ => Self::EnterCode,
        }
    }

    /// Its path.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Device(handle) => format!("/device/{handle}"),
            Self::Sessions(None) => "/device/sessions".to_owned(),
            Self::Sessions(Some(id)) => format!("/device/sessions?current={id}"),
            Self::EnterCode => "/device".to_owned(),
        }
    }

    /// Adds itself to a path of ours; code entry goes without saying.
    pub(super) fn append_to(&self, path: &str) -> String {
        match self {
            Self::EnterCode => path.to_owned(),
            target => format!("{path}?return={}", target.path()),
        }
    }
}

/// Whether an address is among the pages, whether or not anything is there.
pub(super) fn is_page(path: &str) -> bool {
    ["/device", "/signin"]
        .iter()
        .filter_map(|root| path.strip_prefix(root))
        .any(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_handle(text: &str) -> bool {
    text.len() == HANDLE_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{key::KeyRing, secret::Secret, user_code::UserCode};

    #[test]
    fn the_two_pages_are_returned_to() {
        let keys = KeyRing::new(Secret::new("a secret of some length"), Vec::new());
        let handle = keys.seal_handle(&UserCode::parse("ABCD-EFGH").expect("a code")).expect("a handle");
        let path = format!("/device/{handle}");
        assert_eq!(ReturnTarget::parse(&path), ReturnTarget::Device(handle));
        assert_eq!(ReturnTarget::parse(&path).path(), path);
        assert_eq!(ReturnTarget::of_path(&format!("{path}/approve")).path(), path);
        assert_eq!(ReturnTarget::parse("/device/sessions"), ReturnTarget::Sessions(None));
        assert_eq!(ReturnTarget::of_path("/device/sessions/x/revoke"), ReturnTarget::Sessions(None));
        let marked = "/device/sessions?current=0199f2c0-0000-7000-8000-000000000001";
        assert_eq!(ReturnTarget::parse(marked).path(), marked);
    }

    #[test]
    fn an_address_among_the_pages_is_told_from_others() {
        for path in ["/device", "/device/", "/device/x/y", "/device/sessions/", "/signin/x"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["/", "/devices", "/openapi/v1/device/x", "/signing", "//device/x", "/console/api/x"] {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let handle = "A".repeat(HANDLE_LENGTH);
        for text in [
            String::new(),
            "/".to_owned(),
            "/device".to_owned(),
            "/device/".to_owned(),
            "/device/signout".to_owned(),
            "//evil.example/device/sessions".to_owned(),
            "https://evil.example/device/sessions".to_owned(),
            "\\\\evil.example".to_owned(),
            "/\\evil.example".to_owned(),
            "/device/..//evil.example".to_owned(),
            "/device/sessions/".to_owned(),
            "/device/sessions?page=2".to_owned(),
            "/device/sessions?current=".to_owned(),
            "/device/sessions?current=0199f2c0-0000-7000-8000-000000000001&x=y".to_owned(),
            "/device/sessions#x".to_owned(),
            " /device/sessions".to_owned(),
            "/device/sessions\r\nSet-Cookie: a=b".to_owned(),
            "/DEVICE/sessions".to_owned(),
            format!("/device/{handle}A"),
            format!("/device/{}", &handle[1..]),
            format!("/device/{}%2f", &handle[3..]),
            format!("/device/{}/.", &handle[2..]),
            format!("/device/{handle}/approve"),
            format!("javascript:/device/{handle}"),
        ] {
            assert_eq!(ReturnTarget::parse(&text), ReturnTarget::EnterCode, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_named_the_path_is_ours(text in "(/device/)?.{0,80}") {
            for target in [ReturnTarget::parse(&text), ReturnTarget::of_path(&text)] {
                let path = target.path();
                let names_a_session = || path.strip_prefix("/device/sessions?current=").is_some_and(|id| id.parse::<TokenId>().is_ok());
                let names_a_device = || path.strip_prefix("/device/").is_some_and(is_handle);
                prop_assert!(path == "/device" || path == "/device/sessions" || names_a_session() || names_a_device());
            }
        }
    }
}
