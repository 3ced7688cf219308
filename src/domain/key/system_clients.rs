//! Encryption of the instance's OAuth clients as Dify does it (contract K3, *beside Dify*): base64 of an IV and
//! AES-256-CBC with PKCS #7, under the SHA-256 of `SECRET_KEY`. The format has no authentication.

use aes::Aes256;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cbc::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _, block_padding::Pkcs7};
use chacha20poly1305::aead::{OsRng, rand_core::RngCore as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{KeyGeneration, KeyRing};

/// Bytes of an IV.
const IV: usize = 16;

impl KeyRing {
    /// Encrypts the values of a client with the current key.
    pub fn seal_system_client(&self, plaintext: &[u8]) -> String {
        let mut iv = [0; IV];
        OsRng.fill_bytes(&mut iv);
        let key = key(&self.current);
        let encryptor = cbc::Encryptor::<Aes256>::new((&*key).into(), &iv.into());
        STANDARD.encode([iv.as_slice(), &encryptor.encrypt_padded_vec_mut::<Pkcs7>(plaintext)].concat())
    }

    /// Decrypts the values of a client. Because a wrong key may decrypt to noise, `parse` decides whether the result is
    /// one. Returns it with whether a previous key encrypted it.
    pub fn open_system_client<T>(&self, text: &str, parse: impl Fn(&[u8]) -> Option<T>) -> Option<(T, bool)> {
        let bytes = STANDARD.decode(text).ok()?;
        let (iv, encrypted) = bytes.split_first_chunk::<IV>()?;
        self.generations().enumerate().find_map(|(index, generation)| {
            let key = key(generation);
            let decryptor = cbc::Decryptor::<Aes256>::new((&*key).into(), iv.into());
            let plaintext = Zeroizing::new(decryptor.decrypt_padded_vec_mut::<Pkcs7>(encrypted).ok()?);
            Some((parse(&plaintext)?, index > 0))
        })
    }
}

fn key(generation: &KeyGeneration) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(generation.secret.expose()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    fn ring(current: &str, previous: &[&str]) -> KeyRing {
        KeyRing::new(Secret::new(current), previous.iter().map(|secret| Secret::new(*secret)).collect())
    }

    fn json(bytes: &[u8]) -> Option<serde_json::Value> {
        serde_json::from_slice(bytes).ok()
    }

    #[test]
    fn client_opens_with_the_current_and_a_previous_key() {
        let sealed = ring("one", &[]).seal_system_client(br#"{"client_id":"a"}"#);
        let expected = serde_json::json!({"client_id": "a"});
        assert_eq!(ring("one", &[]).open_system_client(&sealed, json), Some((expected.clone(), false)));
        assert_eq!(ring("two", &["one"]).open_system_client(&sealed, json), Some((expected, true)));
        assert_eq!(ring("two", &[]).open_system_client(&sealed, json), None);
        assert_ne!(
            sealed,
            ring("one", &[]).seal_system_client(br#"{"client_id":"a"}"#),
            "each text has an IV of its own"
        );
    }

    #[test]
    fn other_texts_do_not_open() {
        let keys = ring("one", &[]);
        for text in ["", "AAAA", "not base64!", &STANDARD.encode([0; IV]), &STANDARD.encode([0; 40]), "v1.a.b"] {
            assert_eq!(keys.open_system_client(text, json), None, "{text}");
        }
    }
}
