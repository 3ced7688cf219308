//! Types for secrets: no `Display`, a redacted `Debug`, zeroed on drop, compared in constant time.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{
    error::{Code, Error, Result},
    sign_in_hint::SIGN_IN_FOR_NEW_TOKEN,
    subject::SubjectType,
};

/// Compares two secrets in time that depends only on their lengths.
pub(crate) fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

/// `sha256(bytes)` as lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

macro_rules! redacted {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

/// Text that must never be printed: passwords, keys, cookies.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);
redacted!(Secret);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. It must not be printed.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares with a text in constant time.
    pub fn matches(&self, other: &str) -> bool {
        constant_time_eq(self.0.as_bytes(), other.as_bytes())
    }
}

/// A bearer token, `dfoa_…` or `dfoe_…` with 43 base64url characters (contract section 3).
pub struct BearerToken(Zeroizing<String>);
redacted!(BearerToken);

impl BearerToken {
    const BODY: usize = 43;

    /// A token from 32 random bytes.
    pub fn mint(subject_type: SubjectType, entropy: &[u8; 32]) -> Self {
        Self(Zeroizing::new(format!("{}{}", subject_type.token_prefix(), URL_SAFE_NO_PAD.encode(entropy))))
    }

    /// Reads a token from a request. App keys and unknown prefixes have their own errors (contract section 4, step 3).
    pub fn parse(text: &str) -> Result<Self> {
        let Some(subject_type) = SubjectType::of_token(text) else {
            return Err(if text.starts_with("app-") {
                Error::new(Code::InvalidPrefix, "This is an app key, not a user token.")
            } else {
                Error::new(Code::UnknownTokenPrefix, "This kind of token is not accepted here.")
            });
        };
        let body = &text[subject_type.token_prefix().len()..];
        let shape =
            body.len() == Self::BODY && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if shape { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(bearer_invalid()) }
    }

    /// The subject type that the prefix states.
    pub fn subject_type(&self) -> SubjectType {
        if self.0.starts_with("dfoe_") { SubjectType::ExternalSso } else { SubjectType::Account }
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(sha256_hex(self.0.as_bytes()))
    }

    /// The first nine characters, which lists of sessions show.
    pub fn display_prefix(&self) -> &str {
        &self.0[..9]
    }

    /// The token, for the response to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The error for a bearer that is unknown, revoked or malformed. `ClientCommands` adds the client's hint.
pub(crate) fn bearer_invalid() -> Error {
    Error::new(Code::BearerInvalid, "This token is not valid.")
}

/// The error for a bearer whose account is not active.
pub(crate) fn inactive_account() -> Error {
    bearer_invalid().with_hint(SIGN_IN_FOR_NEW_TOKEN)
}

/// `sha256(token)` in lower-case hex, as SQL and the cache hold it. It identifies the token, so it is not printed
/// either.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(String);
redacted!(TokenHash);

impl TokenHash {
    pub fn from_stored(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    /// 64 lower-case hex digits.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The device's secret: `dc_` and 32 base64url characters. Only its hash and a public key derived from it are stored.
pub struct DeviceCode(Zeroizing<String>);
redacted!(DeviceCode);

impl DeviceCode {
    /// A code from 24 random bytes.
    pub fn mint(entropy: &[u8; 24]) -> Self {
        Self(Zeroizing::new(format!("dc_{}", URL_SAFE_NO_PAD.encode(entropy))))
    }

    /// Reads a code from a request. A malformed code is accepted here and later not found.
    pub fn presented(text: &str) -> Result<Self> {
        if text.is_empty() { Err(Error::missing("device_code")) } else { Ok(Self(Zeroizing::new(text.to_owned()))) }
    }

    /// The key of the stored grant.
    pub fn hash(&self) -> DeviceCodeHash {
        DeviceCodeHash(sha256_hex(self.0.as_bytes()))
    }

    /// The code, for the response to the device.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// `sha256(device_code)` in lower-case hex.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DeviceCodeHash(String);
redacted!(DeviceCodeHash);

impl DeviceCodeHash {
    #[cfg(test)]
    pub fn from_stored(hex: impl Into<String>) -> Self {
        Self(hex.into())
    }

    /// 64 lower-case hex digits.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The HMAC of a user code under a key derived from `SECRET_KEY`, in lower-case hex: the key of the user code's index.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserCodeKey(String);
redacted!(UserCodeKey);

impl UserCodeKey {
    pub fn new(hex: String) -> Self {
        Self(hex)
    }

    /// 64 lower-case hex digits.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// `sha256(refresh token)` of a browser session, in lower-case hex. The token itself is not stored.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RefreshHash(String);
redacted!(RefreshHash);

impl RefreshHash {
    pub fn of_token(token: &str) -> Self {
        Self(sha256_hex(token.as_bytes()))
    }

    /// 64 lower-case hex digits.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
