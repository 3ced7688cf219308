//! The stores of short-lived shared state, as the composition root passes them on.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    enterprise_cache::EnterpriseCache, grant_store::GrantStore, lease_store::LeaseStore,
    login_attempt_store::LoginAttemptStore, nonce_store::NonceStore, rate_limit_store::RateLimitStore,
    token_cache::TokenCache,
};
use crate::domain::Result;

/// Whether the backend of the stores replies.
#[async_trait]
pub trait StateHealth: Send + Sync + 'static {
    /// Fails with `service_unavailable` when the backend does not reply in time.
    async fn ping(&self) -> Result<()>;
}

/// One backend's implementation of each port: all in Redis, or all in this process.
#[derive(Clone)]
pub struct StateStores {
    pub grants: Arc<dyn GrantStore>,
    pub rate_limits: Arc<dyn RateLimitStore>,
    pub token_cache: Arc<dyn TokenCache>,
    pub login_attempts: Arc<dyn LoginAttemptStore>,
    pub leases: Arc<dyn LeaseStore>,
    pub enterprise_cache: Arc<dyn EnterpriseCache>,
    pub nonces: Arc<dyn NonceStore>,
    pub health: Arc<dyn StateHealth>,
}
