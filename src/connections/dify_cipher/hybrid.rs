//! The format in which Dify encrypts a secret of a workspace (contract K3): base64 of `HYBRID:`, an AES-128 key
//! encrypted with RSA-OAEP-SHA1, and a nonce, the tag and the ciphertext of AES-EAX. Older texts are RSA-OAEP alone.

use aes::Aes128;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{OsRng, rand_core::RngCore as _};
use eax::{
    Eax,
    aead::{AeadInPlace as _, KeyInit as _},
};
use rsa::{PrivateKey, PublicKey, traits::PublicKeyParts as _};
use sha1::Sha1;
use zeroize::Zeroizing;

use crate::domain::{Error, Result, secret::Secret};

const PREFIX: &[u8] = b"HYBRID:";
const NONCE: usize = 16;
const TAG: usize = 16;

/// Encrypts a text.
pub(super) fn encrypt(text: &str, key: &PublicKey) -> Result<String> {
    let (mut aes_key, mut nonce) = (Zeroizing::new([0; 16]), [0; NONCE]);
    OsRng.fill_bytes(aes_key.as_mut());
    OsRng.fill_bytes(&mut nonce);
    let encrypted_key = key.oaep_encrypt::<Sha1>(aes_key.as_slice()).map_err(Error::internal)?;
    let mut ciphertext = text.as_bytes().to_vec();
    let tag = Eax::<Aes128>::new((&*aes_key).into())
        .encrypt_in_place_detached(&nonce.into(), b"", &mut ciphertext)
        .map_err(|_| Error::internal("an encryption failed"))?;
    Ok(STANDARD.encode([PREFIX, &encrypted_key, &nonce, &tag, &ciphertext].concat()))
}

/// Decrypts a text; `None` for one that was not encrypted for this key.
pub(super) fn decrypt(text: &str, key: &PrivateKey) -> Option<Secret> {
    let bytes = STANDARD.decode(text).ok()?;
    let plaintext = match bytes.strip_prefix(PREFIX) {
        Some(sealed) => {
            let (encrypted_key, sealed) = sealed.split_at_checked(key.size())?;
            let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
            let (tag, ciphertext) = sealed.split_first_chunk::<TAG>()?;
            let aes_key = Zeroizing::new(key.oaep_decrypt::<Sha1>(encrypted_key).ok()?);
            let mut plaintext = Zeroizing::new(ciphertext.to_vec());
            let cipher = Eax::<Aes128>::new_from_slice(&aes_key).ok()?;
            cipher.decrypt_in_place_detached(nonce.into(), b"", &mut plaintext, tag.into()).ok()?;
            plaintext
        }
        None => Zeroizing::new(key.oaep_decrypt::<Sha1>(&bytes).ok()?),
    };
    Some(Secret::new(std::str::from_utf8(&plaintext).ok()?))
}

/// Whether a text has the form of encrypted ones; older texts have none.
pub(super) fn is_sealed(text: &str) -> bool {
    STANDARD.decode(text).is_ok_and(|bytes| bytes.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::LazyLock};

    use rsa::{
        Generate as _,
        rand_core::{TryCryptoRng, TryRng},
    };

    use super::*;

    static KEY: LazyLock<PrivateKey> = LazyLock::new(PrivateKey::generate);
    /// A key of Dify's size.
    static KEY_2048: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::new(&mut SystemRng, 2_048).unwrap());

    struct SystemRng;

    impl TryRng for SystemRng {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(OsRng.next_u32())
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(OsRng.next_u64())
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            OsRng.fill_bytes(bytes);
            Ok(())
        }
    }

    impl TryCryptoRng for SystemRng {}

    #[test]
    fn text_opens_with_its_key_and_has_dify_s_parts() {
        for text in ["", "a secret", "ключ 🔑", &"x".repeat(16 * 1024)] {
            let sealed = encrypt(text, KEY.as_public_key()).unwrap();
            let bytes = STANDARD.decode(&sealed).unwrap();
            assert!(bytes.starts_with(PREFIX) && bytes.len() == 7 + KEY.size() + 16 + 16 + text.len());
            assert_eq!(decrypt(&sealed, &KEY).unwrap().expose(), text);
            assert_ne!(sealed, encrypt(text, KEY.as_public_key()).unwrap(), "each text has a key of its own");
        }
    }

    #[test]
    fn form_of_encrypted_texts_is_recognised() {
        let sealed = encrypt("", KEY_2048.as_public_key()).unwrap();
        assert!(sealed.starts_with("SFlCUklEO") && is_sealed(&sealed));
        for text in ["", "a secret", "SFlCUklE", "SFlCUklEO?", "HYBRID:"] {
            assert!(!is_sealed(text), "{text}");
        }
    }

    #[test]
    fn older_text_is_rsa_alone() {
        let sealed = STANDARD.encode(KEY.as_public_key().oaep_encrypt::<Sha1>(b"short").unwrap());
        assert_eq!(decrypt(&sealed, &KEY).unwrap().expose(), "short");
    }

    #[test]
    fn changed_and_other_texts_do_not_open() {
        for (bytes, key) in [(256, &*KEY_2048), (384, &*KEY)] {
            assert_eq!(key.size(), bytes);
            let sealed = STANDARD.decode(encrypt("secret", key.as_public_key()).unwrap()).unwrap();
            let nonce = PREFIX.len() + bytes;
            let (tag, ciphertext) = (nonce + NONCE, nonce + NONCE + TAG);
            for index in [0, PREFIX.len(), nonce - 1, nonce, tag - 1, tag, ciphertext - 1, ciphertext, sealed.len() - 1]
            {
                let mut changed = sealed.clone();
                changed[index] ^= 1;
                assert!(decrypt(&STANDARD.encode(&changed), key).is_none(), "{index} of {bytes}");
            }
            for length in [0, 3, PREFIX.len(), nonce - 1, nonce, tag, ciphertext - 1, ciphertext, sealed.len() - 1] {
                assert!(decrypt(&STANDARD.encode(&sealed[..length]), key).is_none(), "{length} of {bytes}");
            }
        }
        let of_another = encrypt("secret", KEY_2048.as_public_key()).unwrap();
        assert!(decrypt(&of_another, &KEY).is_none());
        for text in ["", "plain text", "v1.a.b", "{}"] {
            assert!(decrypt(text, &KEY).is_none(), "{text}");
        }
    }
}
