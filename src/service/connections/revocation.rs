//! Deletes connections, and revokes their credentials at the provider where it can (RFC 7009).

use futures_util::{StreamExt as _, stream};

use super::{Connections, member::CurrentMember};
use crate::{
    domain::{
        Result,
        connection::{
            credential::{Connection, CredentialType},
            provider_key::ProviderKey,
        },
        id::{AccountId, ConnectionId, WorkspaceId},
    },
    ports::connection_backend::{BackendCall, IssuedCredentials},
    service::uncancelled::run_uncancelled,
    telemetry::audit::connections::ConnectionEvent,
};

/// Requests to providers at the same time.
const MAX_CONCURRENT: usize = 16;

impl Connections {
    /// Deletes a connection.
    pub async fn delete(&self, member: CurrentMember, key: &ProviderKey, id: ConnectionId) -> Result<()> {
        let connection = self.changeable(member, key, id).await?;
        self.revoke(connection, Some(member.account)).await
    }

    /// Deletes a connection. For operators; `account` is `None`.
    pub(crate) async fn revoke(&self, connection: Connection, account: Option<AccountId>) -> Result<()> {
        let connections = self.clone();
        run_uncancelled(async move {
            // First here: a connection that the provider has revoked must not be used any more.
            if !connections.delete_row(&connection).await? {
                return Ok(());
            }
            connections.finish_deletion(&connection, account).await;
            Ok(())
        })
        .await
    }

    /// Deletes the connections of a workspace, several at a time. One that cannot be deleted is logged. For operators.
    pub(crate) async fn revoke_workspace(&self, workspace: WorkspaceId) -> Result<()> {
        loop {
            // A list has a limit.
            let found = self.dependencies.context.sql.list_connections(workspace, None).await?;
            let deleted = stream::iter(found)
                .map(|connection| self.revoke_with_workspace(connection))
                .buffer_unordered(MAX_CONCURRENT)
                .fold(0, |sum, is_deleted| async move { sum + usize::from(is_deleted) })
                .await;
            if deleted == 0 {
                return Ok(());
            }
        }
    }

    async fn revoke_with_workspace(&self, connection: Connection) -> bool {
        let id = connection.id;
        let revoked = self.revoke(connection, None).await;
        if let Err(error) = &revoked {
            tracing::warn!(
                connection_id = %id, error = error as &dyn std::error::Error,
                "a connection was not deleted with its workspace"
            );
        }
        revoked.is_ok()
    }

    /// Revokes the credentials of connections that were deleted, several at a time. For operators.
    pub(crate) async fn revoke_deleted(&self, connections: Vec<Connection>) {
        let revoke = |connection: Connection| async move {
            self.forget_row(&connection).await;
            self.finish_deletion(&connection, None).await;
        };
        stream::iter(connections).map(revoke).buffer_unordered(MAX_CONCURRENT).collect::<()>().await;
    }

    /// What follows the deletion of the row.
    async fn finish_deletion(&self, connection: &Connection, account: Option<AccountId>) {
        let at_provider = self.revoke_at_provider(connection).await;
        ConnectionEvent::Revoked {
            connection_id: connection.id,
            provider: &connection.provider,
            workspace_id: connection.workspace_id,
            account_id: account,
            at_provider,
        }
        .record();
    }

    /// Best effort: returns whether the provider has accepted.
    async fn revoke_at_provider(&self, connection: &Connection) -> bool {
        if !connection.kind.is(CredentialType::OAuth) {
            return false;
        }
        match self.try_revoke_at_provider(connection).await {
            Ok(revoked) => revoked,
            Err(error) => {
                tracing::warn!(
                    connection_id = %connection.id,
                    error = &error as &dyn std::error::Error,
                    "the credentials of a deleted connection were not revoked at the provider"
                );
                false
            }
        }
    }

    /// Revokes credentials that a provider has issued and that are not stored, so that they do not stay valid. Best
    /// effort.
    pub(super) async fn revoke_issued(&self, call: BackendCall<'_>, issued: &IssuedCredentials) {
        if let Err(error) = self.dependencies.backend.revoke(call, &issued.values).await {
            tracing::warn!(
                provider = %call.provider, error = &error as &dyn std::error::Error,
                "credentials that are not stored were not revoked at the provider"
            );
        }
    }

    async fn try_revoke_at_provider(&self, connection: &Connection) -> Result<bool> {
        let (key, manifest) = self.manifest_of(connection).await?;
        let Some(client) = self.find_client(connection.workspace_id, &key, &manifest).await? else { return Ok(false) };
        let values = self.open_sealed(&manifest, connection).await?.values;
        self.dependencies.backend.revoke(client.call(connection.owner), &values).await?;
        Ok(true)
    }
}
