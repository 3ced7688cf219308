//! Encryption of credentials at third-party services at rest (contract K3, *standalone*).

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, AeadCore as _, OsRng, Payload},
};
use zeroize::Zeroizing;

use super::{KeyRing, decode_url, encode_url};
use crate::domain::error::{Error, Result};

/// The first part of every sealed text. It names the format.
const FORMAT: &str = "v1";
/// Bytes of a nonce of XChaCha20-Poly1305.
const NONCE: usize = 24;

/// Decrypted credentials.
pub struct OpenedCredentials {
    pub plaintext: Zeroizing<Vec<u8>>,
    /// Whether a previous key encrypted them.
    pub is_stale: bool,
}

impl KeyRing {
    /// Encrypts credentials with the current key. `row` is the identity of the row: the text cannot be decrypted in
    /// another one.
    pub fn seal_credentials(&self, row: &str, plaintext: &[u8]) -> Result<String> {
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let sealed = XChaCha20Poly1305::new((&*self.current.credentials).into())
            .encrypt(&nonce, Payload { msg: plaintext, aad: row.as_bytes() })
            .map_err(|_| Error::internal("an encryption failed"))?;
        let text = encode_url(&[nonce.as_slice(), &sealed].concat());
        Ok(format!("{FORMAT}.{}.{text}", self.current.credentials_id))
    }

    /// Decrypts credentials of a row; `None` for anything that no key of this ring has sealed for it.
    pub fn open_credentials(&self, row: &str, text: &str) -> Option<OpenedCredentials> {
        let (id, sealed) = text.strip_prefix(FORMAT)?.strip_prefix('.')?.split_once('.')?;
        let generation = self.generations().find(|generation| generation.credentials_id == id)?;
        let bytes = decode_url(sealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let plaintext = XChaCha20Poly1305::new((&*generation.credentials).into())
            .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: row.as_bytes() })
            .ok()?;
        let is_stale = !std::ptr::eq(generation, &raw const self.current);
        Some(OpenedCredentials { plaintext: Zeroizing::new(plaintext), is_stale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn ring(current: &str, previous: &[&str]) -> KeyRing {
        KeyRing::new(Secret::new(current), previous.iter().map(|secret| Secret::new(*secret)).collect())
    }

    #[test]
    fn credentials_open_in_their_row_only() {
        let keys = ring("one", &[]);
        let sealed = keys.seal_credentials("row 1", b"secret").unwrap();
        let opened = keys.open_credentials("row 1", &sealed).unwrap();
        assert_eq!((opened.plaintext.as_slice(), opened.is_stale), (b"secret".as_slice(), false));
        assert!(keys.open_credentials("row 2", &sealed).is_none());
        assert!(ring("two", &[]).open_credentials("row 1", &sealed).is_none());
        assert_ne!(sealed, keys.seal_credentials("row 1", b"secret").unwrap(), "each text has a nonce of its own");
    }

    #[test]
    fn previous_key_opens_credentials_as_stale() {
        let sealed = ring("one", &[]).seal_credentials("row", b"secret").unwrap();
        let opened = ring("two", &["one"]).open_credentials("row", &sealed).unwrap();
        assert!(opened.is_stale && *opened.plaintext == b"secret");
    }

    #[test]
    fn changed_texts_do_not_open() {
        let keys = ring("one", &[]);
        let sealed = keys.seal_credentials("row", b"secret").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            // The last character of unpadded base64 may have bits that are not used; the decoder rejects them.
            assert!(keys.open_credentials("row", &changed).is_none(), "{index}");
        }
        for text in ["", "v1", "v1.", "v1..", "v2.a.b", "plain text"] {
            assert!(keys.open_credentials("row", text).is_none(), "{text}");
        }
    }
}
