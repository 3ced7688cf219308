//! Keys derived from `SECRET_KEY`, one a purpose, and what they protect at rest (contract section 6, "At rest").

use crypto_box::{PublicKey, SecretKey, aead::OsRng};
use crypto_secretbox::{
    KeyInit, XSalsa20Poly1305,
    aead::{Aead, AeadCore},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    error::{Error, Result},
    secret::{BearerToken, DeviceCode, Secret, UserCodeKey, hex},
    user_code::UserCode,
};

/// What a derived key is for; the text is HKDF's `info`, so it never changes.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    UserCode,
    Handle,
}

impl Purpose {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::UserCode => b"dify-openapi/user-code/v1",
            Self::Handle => b"dify-openapi/device-handle/v1",
        }
    }
}

/// One generation of `SECRET_KEY`.
struct Generation {
    secret: Secret,
    user_code: Zeroizing<[u8; 32]>,
    handle: Zeroizing<[u8; 32]>,
}

impl Generation {
    fn new(secret: Secret) -> Self {
        let derive = |purpose: Purpose| {
            let mut key = Zeroizing::new([0; 32]);
            // HKDF refuses outputs over 8,160 bytes and nothing else.
            let _ = Hkdf::<Sha256>::new(None, secret.expose().as_bytes()).expand(purpose.info(), key.as_mut());
            key
        };
        let (user_code, handle) = (derive(Purpose::UserCode), derive(Purpose::Handle));
        Self { secret, user_code, handle }
    }
}

/// The current `SECRET_KEY` and the previous ones: new values use the current one, look-ups try each.
pub struct KeyRing {
    current: Generation,
    previous: Vec<Generation>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(redacted)")
    }
}

impl KeyRing {
    /// A ring of the current secret and the previous ones, newest first.
    pub fn new(current: Secret, previous: Vec<Secret>) -> Self {
        Self { current: Generation::new(current), previous: previous.into_iter().map(Generation::new).collect() }
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The raw secret that new JWTs are signed under, as Dify signs them.
    pub fn signing_secret(&self) -> &Secret {
        &self.current.secret
    }

    /// The raw secrets that JWTs are accepted under.
    pub fn verifying_secrets(&self) -> impl Iterator<Item = &Secret> {
        self.generations().map(|generation| &generation.secret)
    }

    /// What a new grant's user code is indexed under.
    pub fn user_code_key(&self, code: &UserCode) -> UserCodeKey {
        index_key(&self.current, code)
    }

    /// Every key under which a grant with this user code may be indexed, the current one first.
    pub fn user_code_keys(&self, code: &UserCode) -> Vec<UserCodeKey> {
        self.generations().map(|generation| index_key(generation, code)).collect()
    }

    /// Seals a user code into the opaque handle of a page's URL.
    pub fn seal_handle(&self, code: &UserCode) -> Result<String> {
        let cipher = XSalsa20Poly1305::new((&*self.current.handle).into());
        let nonce = XSalsa20Poly1305::generate_nonce(&mut OsRng);
        let sealed = cipher
            .encrypt(&nonce, code.canonical().as_slice())
            .map_err(|_| Error::internal("sealing a handle failed"))?;
        Ok(encode_url(&[nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a handle; `None` for anything we did not seal.
    pub fn open_handle(&self, handle: &str) -> Option<UserCode> {
        let bytes = decode_url(handle)?;
        let (nonce, sealed) = bytes.split_at_checked(24)?;
        self.generations().find_map(|generation| {
            let cipher = XSalsa20Poly1305::new((&*generation.handle).into());
            let opened = Zeroizing::new(cipher.decrypt(nonce.into(), sealed).ok()?);
            UserCode::parse(std::str::from_utf8(&opened).ok()?).ok()
        })
    }
}

fn index_key(generation: &Generation, code: &UserCode) -> UserCodeKey {
    // HMAC takes keys of any length; the error is the trait's, for other algorithms.
    let digest = <Hmac<Sha256> as Mac>::new_from_slice(generation.user_code.as_ref())
        .map(|mac| mac.chain_update(code.canonical()).finalize().into_bytes())
        .unwrap_or_default();
    UserCodeKey::new(hex(&digest))
}

fn encode_url(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode_url(text: &str) -> Option<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).ok()
}

impl DeviceCode {
    /// The key pair that only the holder of this code can derive.
    fn key_pair(&self) -> SecretKey {
        let mut seed = Zeroizing::new([0; 32]);
        let _ =
            Hkdf::<Sha256>::new(None, self.expose().as_bytes()).expand(b"dify-openapi/device-seal/v1", seed.as_mut());
        SecretKey::from(*seed)
    }

    /// The public half, which is all that is kept: tokens are sealed to it.
    pub fn seal_key(&self) -> [u8; 32] {
        *self.key_pair().public_key().as_bytes()
    }

    /// Opens a token sealed to this code.
    pub fn open(&self, sealed: &[u8]) -> Result<BearerToken> {
        let opened = self
            .key_pair()
            .unseal(sealed)
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("a sealed token does not open"))?;
        BearerToken::parse(std::str::from_utf8(&opened).map_err(Error::internal)?)
    }
}

/// Seals a token so that only the device code behind `seal_key` opens it.
pub fn seal(token: &BearerToken, seal_key: &[u8; 32]) -> Result<Vec<u8>> {
    PublicKey::from(*seal_key)
        .seal(&mut OsRng, token.expose().as_bytes())
        .map_err(|_| Error::internal("sealing a token failed"))
}
