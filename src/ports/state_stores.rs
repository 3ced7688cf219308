//! The stores of short-lived shared state, as the composition root passes them on.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    connection_cache::ConnectionCache, credential_cache::CredentialCache, enterprise_cache::EnterpriseCache,
    grant_store::GrantStore, lease_store::LeaseStore, login_attempt_store::LoginAttemptStore, nonce_store::NonceStore,
    pending_import_store::PendingImportStore, rate_limit_store::RateLimitStore, run_log_store::RunLogStore,
    token_cache::TokenCache,
};
use crate::domain::Result;

/// The backend answers, and a command that the stores need fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Redis refuses the command {command} in scripts ({reason})")]
pub(crate) struct RefusedCommandError {
    /// Such as `HSETNX`.
    pub command: String,
    /// The error of the backend.
    pub reason: String,
}

impl RefusedCommandError {
    /// Whether the command is unknown or the user may not run it, so that only an operator can mend it. A full memory
    /// or disk, and a replica, are not permanent.
    pub(crate) fn is_permanent(&self) -> bool {
        let reason = self.reason.to_ascii_lowercase();
        ["noperm", "acl failure", "can't run this command", "no permissions", "unknown"]
            .iter()
            .any(|part| reason.contains(part))
    }
}

/// Whether the backend of the stores replies and can be used.
#[async_trait]
pub trait StateHealth: Send + Sync + 'static {
    /// Runs every command that the stores use. Fails with `service_unavailable`; the source is a
    /// [`RefusedCommandError`] when the backend answers and refuses one.
    async fn check_commands(&self) -> Result<()>;

    /// Fails with `service_unavailable` when the backend does not reply in time.
    async fn ping(&self) -> Result<()>;

    /// The open connections, and their maximum; `None` for stores in the process.
    fn connections(&self) -> Option<[u32; 2]> {
        None
    }
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
    /// `None` in process: a command of the operator runs in a process of its own, and what it deletes ends at once.
    pub connection_cache: Option<Arc<dyn ConnectionCache>>,
    pub credential_cache: Arc<dyn CredentialCache>,
    pub nonces: Arc<dyn NonceStore>,
    pub pending_imports: Arc<dyn PendingImportStore>,
    pub run_logs: Arc<dyn RunLogStore>,
    pub health: Arc<dyn StateHealth>,
}
