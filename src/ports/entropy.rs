//! Randomness, as an argument.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

use crate::domain::{Error, Result, secret::Secret};

/// A source of unpredictable bytes. Callers draw through the methods of `dyn Entropy`.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the slice, or fails; it never leaves predictable bytes behind.
    fn fill(&self, bytes: &mut [u8]) -> Result<()>;
}

impl dyn Entropy {
    /// `N` random bytes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// A random UUID (RFC 9562, version 4).
    pub(crate) fn uuid_v4(&self) -> Result<Uuid> {
        Ok(Builder::from_random_bytes(self.array()?).into_uuid())
    }

    /// `N` random bytes as base64url without padding.
    pub(crate) fn base64url<const N: usize>(&self) -> Result<Secret> {
        let bytes = Zeroizing::new(self.array::<N>()?);
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(*bytes)))
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        getrandom::fill(bytes).map_err(Error::internal)
    }
}
