//! The connections that the nodes of a run use.

use std::sync::Arc;

use crate::{
    domain::id::{AccountId, WorkspaceId},
    ports::run_credentials::RunCredentials,
};

/// The connections of the run's workspace.
#[derive(Clone)]
pub(crate) struct WorkspaceCredentials {
    pub workspace: WorkspaceId,
    /// The account that runs the app; `None` for an external identity.
    pub account: Option<AccountId>,
    pub source: Arc<dyn RunCredentials>,
}

/// A workspace without connections.
#[cfg(test)]
pub(crate) struct NoConnections;

#[cfg(test)]
#[async_trait::async_trait]
impl RunCredentials for NoConnections {
    async fn secret(
        &self,
        _: WorkspaceId,
        _: &crate::ports::run_credentials::NamedCredential,
    ) -> crate::domain::Result<crate::domain::secret::Secret> {
        Err(crate::domain::Error::not_found("There is no such connection."))
    }

    async fn for_tool(
        &self,
        wanted: &crate::ports::run_credentials::ToolConnection,
    ) -> crate::domain::Result<Option<crate::ports::run_credentials::ToolCredentials>> {
        match wanted.connection {
            Some(_) => Err(crate::domain::Error::not_found("There is no such connection.")),
            None => Ok(None),
        }
    }

    async fn report_rejected(
        &self,
        _: &crate::ports::run_credentials::ToolConnection,
        _: crate::domain::id::ConnectionId,
    ) {
    }
}
