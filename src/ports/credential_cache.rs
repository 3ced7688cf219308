//! Dify's cache of decrypted credentials, beside Dify (contract K3).

use async_trait::async_trait;

use crate::domain::{
    Result,
    id::{ConnectionId, WorkspaceId},
};

/// Dify keeps decrypted values for a day, so a write has to remove them.
#[async_trait]
pub trait CredentialCache: Send + Sync + 'static {
    /// Removes the values of a connection. Fails with `service_unavailable`.
    async fn remove(&self, workspace: WorkspaceId, provider: &str, id: ConnectionId) -> Result<()>;
}
