//! The handle in the address of a device's page: the user code that was looked up, and the client that asked for it.

use sha2::{Digest, Sha256};

use super::user_code::{LENGTH, UserCode};

/// Bytes of a client's tag.
const TAG_LENGTH: usize = 4;

/// The first bytes of the SHA-256 of a client id, which fit into a handle whatever the length of the id. Two clients
/// with one tag would share the command that the pages show, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTag([u8; TAG_LENGTH]);

impl ClientTag {
    pub(crate) fn of(client_id: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(client_id.as_bytes()).into();
        let [first, second, third, fourth, ..] = digest;
        Self([first, second, third, fourth])
    }
}

/// What a handle stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct DeviceHandle {
    pub user_code: UserCode,
    /// `None` in handles of older versions.
    pub client: Option<ClientTag>,
}

impl DeviceHandle {
    pub fn new(user_code: UserCode, client_id: &str) -> Self {
        Self { user_code, client: Some(ClientTag::of(client_id)) }
    }

    /// The text that is encrypted.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.user_code.canonical().to_vec();
        bytes.extend(self.client.iter().flat_map(|tag| tag.0));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (code, tag) = bytes.split_at_checked(LENGTH)?;
        let user_code = UserCode::parse(std::str::from_utf8(code).ok()?).ok()?;
        let client = match tag {
            [] => None,
            tag => Some(ClientTag(tag.try_into().ok()?)),
        };
        Some(Self { user_code, client })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_with_and_without_a_client() {
        let code = UserCode::parse("WDJP-JHTN").unwrap();
        let handle = DeviceHandle::new(code.clone(), "acme-cli");
        assert_eq!(handle.client, Some(ClientTag::of("acme-cli")));
        assert_ne!(handle.client, Some(ClientTag::of("difyctl")));
        assert_eq!(DeviceHandle::from_bytes(&handle.to_bytes()), Some(handle));
        let older = DeviceHandle { user_code: code, client: None };
        assert_eq!(older.to_bytes(), b"WDJPJHTN");
        assert_eq!(DeviceHandle::from_bytes(b"WDJPJHTN"), Some(older));
        for bytes in [&b""[..], b"WDJPJHT", b"WDJPJHT0", b"WDJPJHTN1", b"WDJPJHTN12345"] {
            assert_eq!(DeviceHandle::from_bytes(bytes), None);
        }
    }
}
