//! Nonces that may be used once, so that a signed value cannot be replayed (contract E3).

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::Result;

/// Lifetime of the nonces that Dify shares, and of states of connections. No value with such a nonce is valid for
/// longer.
const SHARED_LIFETIME: Duration = Duration::from_mins(10);
/// Lifetime of a state's nonce: longer than that of the state.
const STATE_LIFETIME: Duration = Duration::from_mins(20);

/// The kind of value that a nonce belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NonceKind {
    /// An assertion of the enterprise service.
    SsoAssertion,
    /// The cookie of an approval.
    ApprovalGrant,
    /// The state of a sign-in at the built-in identity provider.
    SsoState,
    /// The state of an authorization at a third-party service.
    ConnectionState,
}

impl NonceKind {
    /// How long a consumed nonce is remembered.
    pub(crate) const fn lifetime(self) -> Duration {
        match self {
            Self::SsoAssertion | Self::ApprovalGrant | Self::ConnectionState => SHARED_LIFETIME,
            Self::SsoState => STATE_LIFETIME,
        }
    }
}

/// Remembers consumed nonces.
#[async_trait]
pub trait NonceStore: Send + Sync + 'static {
    /// Consumes a nonce in one atomic step. Returns `false` when it was consumed before. Fails with
    /// `service_unavailable`.
    async fn consume(&self, kind: NonceKind, nonce: &str) -> Result<bool>;
}
