//! Current credentials of connections, for the nodes of runs.

use async_trait::async_trait;

use crate::domain::{
    Result,
    connection::{provider_key::ProviderKey, values::CredentialValues},
    id::{AccountId, ConnectionId, WorkspaceId},
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

/// The connection that a tool is invoked with.
#[derive(Clone, Debug)]
pub(crate) struct ToolConnection {
    pub workspace: WorkspaceId,
    /// The account that runs the app; `None` for an external identity.
    pub account: Option<AccountId>,
    pub provider: ProviderKey,
    /// `None` for the default connection.
    pub connection: Option<ConnectionId>,
}

/// The credentials that a tool is invoked with.
#[derive(Debug)]
pub(crate) struct ToolCredentials {
    pub connection: ConnectionId,
    /// How they were obtained, as Dify writes it.
    pub credential_type: String,
    pub values: CredentialValues,
    /// The secrets among the values.
    pub secrets: Vec<Secret>,
}

/// Reads the credentials of connections.
#[async_trait]
pub(crate) trait RunCredentials: Send + Sync + 'static {
    /// The current value, refreshed if it is about to expire. Fails with `not_found` for a connection that not all of
    /// the workspace may use, because a node's author chooses where its value is sent.
    async fn secret(&self, workspace: WorkspaceId, named: &NamedCredential) -> Result<Secret>;

    /// The current values for a tool of the connection's provider, refreshed if they are about to expire; `None` for a
    /// provider that needs none. The account uses its own connections and shared ones, an external identity shared ones
    /// only; any other connection is `not_found`.
    async fn for_tool(&self, wanted: &ToolConnection) -> Result<Option<ToolCredentials>>;

    /// A tool reports that the service rejects the values of this connection: they are refreshed, or the connection is
    /// marked.
    async fn report_rejected(&self, wanted: &ToolConnection, used: ConnectionId);
}
