//! The page to show after signing in. Only three kinds of page can be named, so that no link can lead to another site.

use crate::domain::id::TokenId;

/// Characters of a handle: 24 bytes of nonce, 16 of tag, 8 of code and 4 of the client, in base64url. Handles of older
/// versions have no client.
const HANDLE_LENGTHS: [usize; 2] = [64, 70];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ReturnTarget {
    /// The page of a device, by its handle.
    Device(String),
    /// The sessions list, and the id of the current session if it is known.
    Sessions(Option<TokenId>),
    /// The list of connections.
    Connections,
    /// The form for a code; also stands for every other page.
    #[default]
    EnterCode,
}

impl ReturnTarget {
    /// Parses the path in a link or a form. Anything but the exact paths of the three kinds is `EnterCode`.
    pub(super) fn parse(text: &str) -> Self {
        if let Some(id) = text.strip_prefix("/device/sessions?current=") {
            return id.parse().map_or(Self::EnterCode, |id| Self::Sessions(Some(id)));
        }
        match text.strip_prefix("/device/") {
            Some("sessions") => Self::Sessions(None),
            Some("connections") => Self::Connections,
            Some(handle) if is_handle(handle) => Self::Device(handle.to_owned()),
            _ => Self::EnterCode,
        }
    }

    /// The target that a path belongs to: the page itself, or the page whose form or subpage it is.
    pub(super) fn containing(path: &str) -> Self {
        let mut segments = path.strip_prefix("/device/").unwrap_or_default().split('/');
        match segments.next() {
            Some("sessions") => Self::Sessions(None),
            Some("connections") => Self::Connections,
            Some(handle) if is_handle(handle) => Self::Device(handle.to_owned()),
            _ => Self::EnterCode,
        }
    }

    pub(super) fn path(&self) -> String {
        match self {
            Self::Device(handle) => format!("/device/{handle}"),
            Self::Sessions(None) => "/device/sessions".to_owned(),
            Self::Sessions(Some(id)) => format!("/device/sessions?current={id}"),
            Self::Connections => "/device/connections".to_owned(),
            Self::EnterCode => "/device".to_owned(),
        }
    }

    /// Appends the target to a path as its `return` parameter; `EnterCode` is the default and left out.
    pub(super) fn append_to(&self, path: &str) -> String {
        match self {
            Self::EnterCode => path.to_owned(),
            target => format!("{path}?return={}", target.path()),
        }
    }
}

/// Whether a path is below the paths of the pages, whether or not a page exists there.
pub(super) fn is_page(path: &str) -> bool {
    ["/device", "/signin"]
        .iter()
        .filter_map(|root| path.strip_prefix(root))
        .any(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_handle(text: &str) -> bool {
    HANDLE_LENGTHS.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{device_handle::DeviceHandle, key::KeyRing, secret::Secret, user_code::UserCode};

    #[test]
    fn device_pages_and_the_sessions_list_are_targets() {
        let keys = KeyRing::new(Secret::new("a secret of some length"), Vec::new());
        let code = UserCode::parse("ABCD-EFGH").expect("a code");
        let handle = keys.seal_handle(&DeviceHandle::new(code, "difyctl")).expect("a handle");
        let path = format!("/device/{handle}");
        assert_eq!(ReturnTarget::parse(&path), ReturnTarget::Device(handle));
        assert_eq!(ReturnTarget::parse(&path).path(), path);
        assert_eq!(ReturnTarget::containing(&format!("{path}/approve")).path(), path);
        assert_eq!(ReturnTarget::parse("/device/sessions"), ReturnTarget::Sessions(None));
        assert_eq!(ReturnTarget::parse("/device/connections").path(), "/device/connections");
        assert_eq!(ReturnTarget::containing("/device/connections/a/b/c/keys"), ReturnTarget::Connections);
        assert_eq!(ReturnTarget::containing("/device/sessions/x/revoke"), ReturnTarget::Sessions(None));
        let marked = "/device/sessions?current=0199f2c0-0000-7000-8000-000000000001";
        assert_eq!(ReturnTarget::parse(marked).path(), marked);
    }

    #[test]
    fn paths_below_device_and_signin_are_pages() {
        for path in ["/device", "/device/", "/device/x/y", "/device/sessions/", "/signin/x"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["/", "/devices", "/openapi/v1/device/x", "/signing", "//device/x", "/console/api/x"] {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn any_other_text_is_code_entry() {
        let handle = "A".repeat(64);
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
        fn every_text_yields_a_path_of_this_service(text in "(/device/)?.{0,80}") {
            for target in [ReturnTarget::parse(&text), ReturnTarget::containing(&text)] {
                let path = target.path();
                let names_a_session = || {
                    path.strip_prefix("/device/sessions?current=").is_some_and(|id| id.parse::<TokenId>().is_ok())
                };
                let names_a_device = || path.strip_prefix("/device/").is_some_and(is_handle);
                prop_assert!(path == "/device" || path == "/device/sessions" || names_a_session() || names_a_device());
            }
        }
    }
}
