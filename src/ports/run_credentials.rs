//! Current credentials of connections, for the nodes of runs.

use async_trait::async_trait;

use crate::domain::{
    Result,
    connection::provider_key::ProviderKey,
    id::{ConnectionId, WorkspaceId},
    secret::Secret,
};

/// The value of a connection that a node names.
#[derive(Clone, Debug)]
pub(crate) struct NamedCredential {
    pub provider: ProviderKey,
    pub connection: ConnectionId,
    /// The field of its values; `None` for the access token, or the only secret of an API key.
    pub field: Option<String>,
}

/// Reads the credentials of connections.
#[async_trait]
pub(crate) trait RunCredentials: Send + Sync + 'static {
    /// The current value, refreshed if it is about to expire. Fails with `not_found` for a connection that not all of the
    /// workspace may use, because a node's author chooses where its value is sent.
    async fn secret(&self, workspace: WorkspaceId, named: &NamedCredential) -> Result<Secret>;
}
