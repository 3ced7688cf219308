//! Every write of a stored connection. Each removes what is cached of it: the sealed rows that all replicas share, and
//! beside Dify the values that Dify keeps decrypted.

use chrono::{DateTime, Utc};

use super::Connections;
use crate::{
    domain::{
        Result,
        connection::credential::{
            Connection, ConnectionChange, NewConnection, ReauthorizationReason, Recorded, ReplacedCredentials,
        },
        id::WorkspaceId,
    },
    ports::connection_cache::ConnectionGroup,
};

/// The group of a connection in the cache.
fn group_of(connection: &Connection) -> ConnectionGroup<'_> {
    group(connection.workspace_id, &connection.provider)
}

fn group(workspace: WorkspaceId, provider: &str) -> ConnectionGroup<'_> {
    ConnectionGroup { workspace, provider }
}

impl Connections {
    pub(super) async fn insert_row(&self, new: &NewConnection) -> Result<String> {
        let insert = self.dependencies.context.sql.create_connection(new);
        self.write(group(new.workspace_id, &new.provider), insert).await
    }

    /// Returns `false` when the stored values are not the old ones any more.
    pub(super) async fn replace_row(&self, connection: &Connection, replaced: ReplacedCredentials<'_>) -> Result<bool> {
        let replace = self.dependencies.context.sql.replace_credentials(connection.id, replaced);
        let result = self.write(group_of(connection), replace).await;
        if !matches!(result, Ok(false)) {
            self.remove_decrypted(connection).await;
        }
        result
    }

    /// Returns `false` when the connection has changed since it was read.
    pub(super) async fn change_row(&self, read: &Connection, change: &ConnectionChange) -> Result<bool> {
        let context = &self.dependencies.context;
        let write = context.sql.change_connection(read, change, context.clock.now());
        let result = self.write(group_of(read), write).await;
        if change.sealed.is_some() && !matches!(result, Ok(false)) {
            self.remove_decrypted(read).await;
        }
        result
    }

    pub(super) async fn make_row_default(&self, connection: &Connection) -> Result<()> {
        self.write(group_of(connection), self.dependencies.context.sql.make_default(connection)).await
    }

    /// Returns `false` when it does not exist any more.
    pub(super) async fn delete_row(&self, connection: &Connection) -> Result<bool> {
        let delete = self.dependencies.context.sql.delete_connection(connection.id);
        let result = self.write(group_of(connection), delete).await;
        if !matches!(result, Ok(false)) {
            self.remove_decrypted(connection).await;
        }
        result
    }

    /// Removes what is cached of a connection that was deleted together with others.
    pub(super) async fn forget_row(&self, connection: &Connection) {
        self.remove_decrypted(connection).await;
        if let Err(error) = self.write(group_of(connection), async { Ok(()) }).await {
            tracing::warn!(
                connection_id = %connection.id, error = &error as &dyn std::error::Error,
                "a deleted connection may be cached for up to 30 s"
            );
        }
    }

    pub(super) async fn mark_row_active(&self, connection: &Connection) -> Result<()> {
        self.write(group_of(connection), self.dependencies.context.sql.mark_active(connection.id)).await
    }

    pub(super) async fn mark_row_failed(
        &self,
        connection: &Connection,
        failures: u32,
        retry_at: DateTime<Utc>,
    ) -> Result<()> {
        let mark = self.dependencies.context.sql.mark_refresh_failed(connection.id, failures, retry_at);
        self.write(group_of(connection), mark).await
    }

    pub(super) async fn mark_row_unauthorized(
        &self,
        connection: &Connection,
        reason: ReauthorizationReason,
    ) -> Result<Recorded> {
        let mark = self.dependencies.context.sql.mark_reauthorization_required(connection, reason);
        self.write(group_of(connection), mark).await
    }

    /// Tries removals from the cache again that have failed.
    pub(crate) async fn retry_removals(&self) {
        if let Some(cache) = &self.cache {
            cache.retry().await;
        }
    }

    async fn write<T>(&self, group: ConnectionGroup<'_>, write: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.cache {
            Some(cache) => cache.write(group, write).await,
            None => write.await,
        }
    }

    /// Removes the values that Dify keeps decrypted. Dify uses the old ones for up to a day when it fails twice.
    async fn remove_decrypted(&self, connection: &Connection) {
        let Some(cache) = &self.dependencies.dify_cache else { return };
        let remove = || cache.remove(connection.workspace_id, &connection.provider, connection.id);
        if remove().await.is_err()
            && let Err(error) = remove().await
        {
            tracing::warn!(
                connection_id = %connection.id,
                error = &error as &dyn std::error::Error,
                "Dify's cache may hold old values of a connection"
            );
        }
    }
}
