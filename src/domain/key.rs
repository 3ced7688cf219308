//! Keys derived from `SECRET_KEY`, one for each purpose, and the encryption of grants and apps' secrets at rest
//! (contract section 6, "At rest").

mod credentials;
mod system_clients;

use chrono::{DateTime, Utc};
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
    device_handle::DeviceHandle,
    error::{Error, Result},
    id::FileId,
    secret::{BearerToken, DeviceCode, Secret, UserCodeKey, constant_time_eq, hex},
    user_code::UserCode,
};

/// The `kid` of the current `SECRET_KEY`, under which Dify signs too.
pub(crate) const SHARED_KEY_ID: &str = "dify-shared-v1";

/// Characters of a key id.
const KEY_ID: usize = 8;

/// The purpose of a derived key. `info` is HKDF's input and must not change.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    UserCode,
    Handle,
    KnownBrowser,
    AppSecret,
    Prefill,
    Notice,
    SsoState,
    SsoOutcome,
    SsoBrowser,
    CodeVerifier,
    ConnectionState,
    Credentials,
    FilePreview,
    InitProof,
}

impl Purpose {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::UserCode => b"dify-openapi/user-code/v1",
            Self::Handle => b"dify-openapi/device-handle/v2",
            Self::KnownBrowser => b"dify-openapi/known-browser/v1",
            Self::AppSecret => b"dify-openapi/app-secret/v1",
            Self::Prefill => b"dify-openapi/prefilled-code/v1",
            Self::Notice => b"dify-openapi/page-notice/v1",
            Self::SsoState => b"dify-openapi/sso-state/v1",
            Self::SsoOutcome => b"dify-openapi/sso-outcome/v1",
            Self::SsoBrowser => b"dify-openapi/sso-browser/v1",
            Self::CodeVerifier => b"dify-openapi/sso-code-verifier/v1",
            Self::ConnectionState => b"dify-openapi/connection-state/v1",
            Self::Credentials => b"dify-openapi/connection-credentials/v1",
            Self::FilePreview => b"dify-openapi/file-preview/v1",
            Self::InitProof => b"dify-openapi/init-proof/v1",
        }
    }
}

/// One value of `SECRET_KEY` with the keys derived from it.
struct KeyGeneration {
    /// The operator's name of a previous key.
    id: Option<String>,
    secret: Secret,
    user_code: Zeroizing<[u8; 32]>,
    handle: Zeroizing<[u8; 32]>,
    known_browser: Zeroizing<[u8; 32]>,
    app_secret: Zeroizing<[u8; 32]>,
    prefill: Zeroizing<[u8; 32]>,
    notice: Zeroizing<[u8; 32]>,
    sso_state: Zeroizing<[u8; 32]>,
    sso_outcome: Zeroizing<[u8; 32]>,
    sso_browser: Zeroizing<[u8; 32]>,
    code_verifier: Zeroizing<[u8; 32]>,
    connection_state: Zeroizing<[u8; 32]>,
    credentials: Zeroizing<[u8; 32]>,
    /// The id of `credentials`, in what it seals.
    credentials_id: String,
    file_preview: Zeroizing<[u8; 32]>,
    init_proof: Zeroizing<[u8; 32]>,
}

impl KeyGeneration {
    fn new(secret: Secret) -> Self {
        let derive = |purpose: Purpose| {
            let mut key = Zeroizing::new([0; 32]);
            // HKDF fails only for outputs over 8,160 bytes.
            let _ = Hkdf::<Sha256>::new(None, secret.expose().as_bytes()).expand(purpose.info(), key.as_mut());
            key
        };
        let (user_code, handle) = (derive(Purpose::UserCode), derive(Purpose::Handle));
        let (known_browser, app_secret) = (derive(Purpose::KnownBrowser), derive(Purpose::AppSecret));
        let (prefill, notice) = (derive(Purpose::Prefill), derive(Purpose::Notice));
        let (sso_state, sso_browser) = (derive(Purpose::SsoState), derive(Purpose::SsoBrowser));
        let (sso_outcome, code_verifier) = (derive(Purpose::SsoOutcome), derive(Purpose::CodeVerifier));
        let (connection_state, credentials) = (derive(Purpose::ConnectionState), derive(Purpose::Credentials));
        let (file_preview, init_proof) = (derive(Purpose::FilePreview), derive(Purpose::InitProof));
        Self {
            id: None,
            credentials_id: key_id(&credentials),
            secret,
            user_code,
            handle,
            known_browser,
            app_secret,
            prefill,
            notice,
            sso_state,
            sso_outcome,
            sso_browser,
            code_verifier,
            connection_state,
            credentials,
            file_preview,
            init_proof,
        }
    }
}

/// The secret that the current `SECRET_KEY` replaced.
pub struct ReplacedSecret {
    pub secret: Secret,
    /// The time since which it signs nothing.
    pub at: DateTime<Utc>,
}

/// The current `SECRET_KEY`, the next one and the previous ones. New values use the current one. Look-ups of user codes
/// and handles try each.
pub struct KeyRing {
    current: KeyGeneration,
    /// Replaces the current one soon, and is in use by replicas that have been restarted with it.
    next: Option<KeyGeneration>,
    previous: Vec<KeyGeneration>,
    replaced: Option<ReplacedSecret>,
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing(redacted)")
    }
}

impl KeyRing {
    /// `previous` is sorted newest first.
    pub fn new(current: Secret, previous: Vec<Secret>) -> Self {
        let previous = previous.into_iter().map(KeyGeneration::new).collect();
        Self { current: KeyGeneration::new(current), next: None, previous, replaced: None }
    }

    /// Names the previous keys, newest first.
    #[must_use]
    pub fn with_key_ids(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        for (generation, id) in self.previous.iter_mut().zip(ids) {
            generation.id = Some(id);
        }
        self
    }

    /// Also accepts what the secret makes that will replace the current one.
    #[must_use]
    pub fn with_next(self, next: Option<Secret>) -> Self {
        Self { next: next.map(KeyGeneration::new), ..self }
    }

    /// Also accepts JWTs that the replaced secret signed before it was replaced.
    #[must_use]
    pub fn with_replaced(self, replaced: ReplacedSecret) -> Self {
        Self { replaced: Some(replaced), ..self }
    }

    fn generations(&self) -> impl Iterator<Item = &KeyGeneration> {
        std::iter::once(&self.current).chain(&self.next).chain(&self.previous)
    }

    /// The secret that new JWTs are signed with. Like Dify, it is used without derivation.
    pub fn signing_secret(&self) -> &Secret {
        &self.current.secret
    }

    /// The secrets whose JWTs are accepted as those of the current one: it, and the next one.
    pub(crate) fn verifying_secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.next).map(|generation| &generation.secret)
    }

    /// The secrets that a `kid` header may stand for at a time; none for an unknown one. Until the secret is replaced on
    /// all replicas, the name of the current one may stand for the replaced one, too.
    pub(crate) fn shared_secrets(&self, key_id: &str, now: DateTime<Utc>) -> Vec<&Secret> {
        if key_id == SHARED_KEY_ID {
            let replaced = self.replaced.iter().filter(|replaced| now < replaced.at).map(|replaced| &replaced.secret);
            return self.verifying_secrets().chain(replaced).collect();
        }
        self.previous.iter().filter(|key| key.id.as_deref() == Some(key_id)).map(|key| &key.secret).collect()
    }

    /// The secret whose JWTs are accepted until they expire. Without the time of the replacement, JWTs of previous
    /// secrets are rejected, because a leaked secret would sign JWTs of any age.
    pub fn replaced_secret(&self) -> Option<&ReplacedSecret> {
        self.replaced.as_ref()
    }

    /// The index key of a new grant's user code.
    pub fn user_code_key(&self, code: &UserCode) -> UserCodeKey {
        index_key(&self.current, code)
    }

    /// Every index key that a grant with this user code may have, the current one first.
    pub fn user_code_keys(&self, code: &UserCode) -> Vec<UserCodeKey> {
        self.generations().map(|generation| index_key(generation, code)).collect()
    }

    /// The proof that the account with this email address has signed in with this browser.
    pub(crate) fn known_browser_proof(&self, browser: &str, email: &str) -> String {
        hmac(&self.current.known_browser, &[browser.as_bytes(), email.as_bytes()])
    }

    /// Every proof that is accepted for the same, the current key's first.
    pub(crate) fn known_browser_proofs(&self, browser: &str, email: &str) -> Vec<String> {
        let proof = |keys: &KeyGeneration| hmac(&keys.known_browser, &[browser.as_bytes(), email.as_bytes()]);
        self.generations().map(proof).collect()
    }

    /// The signature of a page's notice for one browser.
    pub(crate) fn notice_signature(&self, browser: &str, notice: &str) -> String {
        hmac(&self.current.notice, &[browser.as_bytes(), notice.as_bytes()])
    }

    /// Encrypts a user code that was looked up, with the client that asked for it, as the opaque handle in the URL of
    /// its page.
    pub fn seal_handle(&self, handle: &DeviceHandle) -> Result<String> {
        encrypt(&self.current.handle, &handle.to_bytes())
    }

    /// Decrypts a handle; `None` for anything that `seal_handle` has not returned.
    pub fn open_handle(&self, handle: &str) -> Option<DeviceHandle> {
        let opened = self.generations().find_map(|generation| decrypt(&generation.handle, handle))?;
        DeviceHandle::from_bytes(&opened)
    }

    /// Encrypts a user code that a form is filled in with. It may belong to no grant, so it is no handle.
    pub(crate) fn seal_prefill(&self, code: &UserCode) -> Result<String> {
        encrypt(&self.current.prefill, code.canonical().as_slice())
    }

    /// Decrypts a code that `seal_prefill` has encrypted.
    pub(crate) fn open_prefill(&self, sealed: &str) -> Option<UserCode> {
        self.generations().find_map(|generation| open_code(&generation.prefill, sealed))
    }

    /// Encrypts the state of a sign-in, which contains a user code, for the URL of an identity provider.
    pub(crate) fn seal_sso_state(&self, state: &str) -> Result<String> {
        encrypt(&self.current.sso_state, state.as_bytes())
    }

    /// Decrypts a state that `seal_sso_state` has encrypted.
    pub(crate) fn open_sso_state(&self, sealed: &str) -> Option<Secret> {
        self.generations().find_map(|generation| open_text(&generation.sso_state, sealed))
    }

    /// Encrypts the outcome of an external identity's decision, for its cookie.
    pub(crate) fn seal_sso_outcome(&self, outcome: &str) -> Result<String> {
        encrypt(&self.current.sso_outcome, outcome.as_bytes())
    }

    /// Decrypts an outcome that `seal_sso_outcome` has encrypted.
    pub(crate) fn open_sso_outcome(&self, sealed: &str) -> Option<Secret> {
        self.generations().find_map(|generation| open_text(&generation.sso_outcome, sealed))
    }

    /// Encrypts the state of an authorization at a third-party service.
    pub(crate) fn seal_connection_state(&self, state: &str) -> Result<String> {
        encrypt(&self.current.connection_state, state.as_bytes())
    }

    /// Decrypts a state that `seal_connection_state` has encrypted.
    pub(crate) fn open_connection_state(&self, sealed: &str) -> Option<Secret> {
        self.generations().find_map(|generation| open_text(&generation.connection_state, sealed))
    }

    /// The proof that a browser has started the sign-in with this mark.
    pub(crate) fn sso_browser_proof(&self, mark: &str) -> String {
        hmac(&self.current.sso_browser, &[mark.as_bytes()])
    }

    /// Every proof that is accepted for the same, the current key's first.
    pub(crate) fn sso_browser_proofs(&self, mark: &str) -> Vec<String> {
        self.generations().map(|generation| hmac(&generation.sso_browser, &[mark.as_bytes()])).collect()
    }

    /// The code verifier of a sign-in (RFC 7636 section 4.1), derived from its nonce so that it need not be stored.
    pub(crate) fn code_verifier(&self, nonce: &str) -> Secret {
        Secret::new(hmac(&self.current.code_verifier, &[nonce.as_bytes()]))
    }

    /// The signature of an address at which a file is served until a time, in Unix seconds.
    pub(crate) fn file_preview_signature(&self, file: FileId, expires: i64) -> String {
        preview_signature(&self.current, file, expires)
    }

    /// Whether a key of this ring made the signature.
    pub(crate) fn accepts_file_preview(&self, file: FileId, expires: i64, signature: &str) -> bool {
        self.generations().any(|generation| {
            constant_time_eq(preview_signature(generation, file, expires).as_bytes(), signature.as_bytes())
        })
    }

    /// The signature of a proof, valid until a time in Unix seconds, that its holder knows `INIT_PASSWORD`.
    pub(crate) fn init_proof_signature(&self, expires: i64) -> String {
        hmac(&self.current.init_proof, &[expires.to_string().as_bytes()])
    }

    /// Encrypts the value of an app's secret variable.
    pub fn seal_app_secret(&self, value: &str) -> Result<String> {
        encrypt(&self.current.app_secret, value.as_bytes())
    }

    /// Decrypts the value of an app's secret variable; `None` for anything that no key of this ring has sealed.
    pub fn open_app_secret(&self, sealed: &str) -> Option<Secret> {
        self.generations().find_map(|generation| {
            let opened = decrypt(&generation.app_secret, sealed)?;
            Some(Secret::new(std::str::from_utf8(&opened).ok()?.to_owned()))
        })
    }
}

fn preview_signature(generation: &KeyGeneration, file: FileId, expires: i64) -> String {
    hmac(&generation.file_preview, &[file.to_string().as_bytes(), expires.to_string().as_bytes()])
}

/// Decrypts a text; `None` for anything that was not encrypted with this key.
fn open_text(key: &[u8; 32], sealed: &str) -> Option<Secret> {
    let opened = decrypt(key, sealed)?;
    Some(Secret::new(std::str::from_utf8(&opened).ok()?.to_owned()))
}

fn open_code(key: &[u8; 32], sealed: &str) -> Option<UserCode> {
    let opened = decrypt(key, sealed)?;
    UserCode::parse(std::str::from_utf8(&opened).ok()?).ok()
}

/// Returns nonce and ciphertext in URL-safe base64.
fn encrypt(key: &[u8; 32], plaintext: &[u8]) -> Result<String> {
    let nonce = XSalsa20Poly1305::generate_nonce(&mut OsRng);
    let sealed = XSalsa20Poly1305::new(key.into())
        .encrypt(&nonce, plaintext)
        .map_err(|_| Error::internal("an encryption failed"))?;
    Ok(encode_url(&[nonce.as_slice(), &sealed].concat()))
}

fn decrypt(key: &[u8; 32], text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = decode_url(text)?;
    let (nonce, sealed) = bytes.split_at_checked(24)?;
    XSalsa20Poly1305::new(key.into()).decrypt(nonce.into(), sealed).ok().map(Zeroizing::new)
}

fn index_key(generation: &KeyGeneration, code: &UserCode) -> UserCodeKey {
    UserCodeKey::new(hmac(&generation.user_code, &[code.canonical().as_slice()]))
}

/// The id of a key, which identifies it without disclosing it.
fn key_id(key: &[u8; 32]) -> String {
    let mut id = hmac(key, &[b"key id"]);
    id.truncate(KEY_ID);
    id
}

/// HMAC-SHA256 in hexadecimal of parts separated by NUL. Only the last part may contain NUL.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> String {
    // HMAC takes keys of any length. The trait's error is for other algorithms.
    let digest = <Hmac<Sha256> as Mac>::new_from_slice(key)
        .map(|mac| mac.chain_update(parts.join(&0)).finalize().into_bytes())
        .unwrap_or_default();
    hex(&digest)
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
    fn key_pair(&self) -> SecretKey {
        let mut seed = Zeroizing::new([0; 32]);
        let _ =
            Hkdf::<Sha256>::new(None, self.expose().as_bytes()).expand(b"dify-openapi/device-seal/v1", seed.as_mut());
        SecretKey::from(*seed)
    }

    /// The public key that the token is sealed to. The grant stores it, and not the code.
    pub fn seal_key(&self) -> [u8; 32] {
        *self.key_pair().public_key().as_bytes()
    }

    /// Decrypts a token that was sealed to this code's `seal_key`.
    pub fn open(&self, sealed: &[u8]) -> Result<BearerToken> {
        let opened = self
            .key_pair()
            .unseal(sealed)
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("a sealed token does not open"))?;
        BearerToken::parse(std::str::from_utf8(&opened).map_err(Error::internal)?)
    }
}

/// Encrypts a token so that only the holder of the device code of `seal_key` can decrypt it.
pub(crate) fn seal(token: &BearerToken, seal_key: &[u8; 32]) -> Result<Vec<u8>> {
    PublicKey::from(*seal_key)
        .seal(&mut OsRng, token.expose().as_bytes())
        .map_err(|_| Error::internal("sealing a token failed"))
}
