//! OAuth clients of workspaces and of the instance.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _, OnConflict, Query},
};
use uuid::Uuid;

use crate::{
    domain::{
        connection::{
            client::{ReplacedClient, StoredClient},
            provider_key::ProviderKey,
        },
        error::Result,
        id::WorkspaceId,
        secret::Secret,
    },
    store::sql::{
        entity::{tool_system_client as system, tool_workspace_client as client},
        sql_store::SqlStore,
    },
};

impl SqlStore {
    /// The workspace's own client.
    pub async fn find_workspace_client(
        &self,
        workspace: WorkspaceId,
        provider: &ProviderKey,
    ) -> Result<Option<StoredClient>> {
        let select = Query::select()
            .columns([client::Column::Enabled, client::Column::EncryptedOauthParams])
            .from(client::Entity)
            .and_where(Expr::col(client::Column::TenantId).eq(self.id(workspace.0)))
            .and_where(Expr::col(client::Column::PluginId).eq(provider.plugin_id()))
            .and_where(Expr::col(client::Column::Provider).eq(provider.name()))
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let sealed = Secret::new(row.try_get_by::<String, _>("encrypted_oauth_params")?);
        Ok(Some(StoredClient { enabled: row.try_get_by("enabled")?, sealed }))
    }

    /// Stores the workspace's own client in place of an earlier one. `id` is that of a new row.
    pub async fn put_workspace_client(
        &self,
        id: Uuid,
        workspace: WorkspaceId,
        provider: &ProviderKey,
        stored: &StoredClient,
    ) -> Result<()> {
        let row = client::ActiveModel {
            id: Set(self.id(id)),
            tenant_id: Set(self.id(workspace.0)),
            plugin_id: Set(provider.plugin_id()),
            provider: Set(provider.name().to_owned()),
            enabled: Set(stored.enabled),
            encrypted_oauth_params: Set(stored.sealed.expose().to_owned()),
        };
        let on_conflict =
            OnConflict::columns([client::Column::TenantId, client::Column::PluginId, client::Column::Provider])
                .update_columns([client::Column::Enabled, client::Column::EncryptedOauthParams])
                .to_owned();
        let insert = client::Entity::insert(row).on_conflict(on_conflict);
        self.call("INSERT", insert.exec_without_returning(&self.db)).await?;
        Ok(())
    }

    /// Deletes the workspace's own client. Returns whether there was one.
    pub async fn delete_workspace_client(&self, workspace: WorkspaceId, provider: &ProviderKey) -> Result<bool> {
        let delete = client::Entity::delete_many()
            .filter(client::Column::TenantId.eq(self.id(workspace.0)))
            .filter(client::Column::PluginId.eq(provider.plugin_id()))
            .filter(client::Column::Provider.eq(provider.name()));
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected > 0)
    }

    /// The instance's client: its encrypted values.
    pub async fn find_system_client(&self, provider: &ProviderKey) -> Result<Option<Secret>> {
        let select = Query::select()
            .column(system::Column::EncryptedOauthParams)
            .from(system::Entity)
            .and_where(Expr::col(system::Column::PluginId).eq(provider.plugin_id()))
            .and_where(Expr::col(system::Column::Provider).eq(provider.name()))
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        Ok(Some(Secret::new(row.try_get_by::<String, _>("encrypted_oauth_params")?)))
    }

    /// Stores the instance's client in place of an earlier one. `id` is that of a new row.
    pub async fn put_system_client(&self, id: Uuid, provider: &ProviderKey, sealed: &Secret) -> Result<()> {
        let row = system::ActiveModel {
            id: Set(self.id(id)),
            plugin_id: Set(provider.plugin_id()),
            provider: Set(provider.name().to_owned()),
            encrypted_oauth_params: Set(sealed.expose().to_owned()),
        };
        let on_conflict = OnConflict::columns([system::Column::PluginId, system::Column::Provider])
            .update_column(system::Column::EncryptedOauthParams)
            .to_owned();
        let insert = system::Entity::insert(row).on_conflict(on_conflict);
        self.call("INSERT", insert.exec_without_returning(&self.db)).await?;
        Ok(())
    }

    /// Replaces the values of a client of a workspace, or of the instance, in one statement. Returns `false` when the
    /// stored values are not the old ones any more.
    pub async fn replace_client(
        &self,
        workspace: Option<WorkspaceId>,
        provider: &ProviderKey,
        replaced: ReplacedClient<'_>,
    ) -> Result<bool> {
        let (old, new) = (replaced.old.expose(), replaced.new.expose().to_owned());
        let updated = if let Some(workspace) = workspace {
            let row = client::ActiveModel { encrypted_oauth_params: Set(new), ..Default::default() };
            let update = client::Entity::update_many()
                .set(row)
                .filter(client::Column::TenantId.eq(self.id(workspace.0)))
                .filter(client::Column::PluginId.eq(provider.plugin_id()))
                .filter(client::Column::Provider.eq(provider.name()))
                .filter(client::Column::EncryptedOauthParams.eq(old));
            self.call("UPDATE", update.exec(&self.db)).await?
        } else {
            let row = system::ActiveModel { encrypted_oauth_params: Set(new), ..Default::default() };
            let update = system::Entity::update_many()
                .set(row)
                .filter(system::Column::PluginId.eq(provider.plugin_id()))
                .filter(system::Column::Provider.eq(provider.name()))
                .filter(system::Column::EncryptedOauthParams.eq(old));
            self.call("UPDATE", update.exec(&self.db)).await?
        };
        Ok(updated.rows_affected == 1)
    }

    /// Every stored client: workspace (`None` for the instance), `organization/plugin`, provider name, and whether a
    /// workspace's one is enabled, with its encrypted values.
    pub async fn list_clients(&self) -> Result<Vec<(Option<WorkspaceId>, String, StoredClient)>> {
        let mut listed = Vec::new();
        for row in self.read(|| client::Entity::find().all(&self.db)).await? {
            let stored = StoredClient { enabled: row.enabled, sealed: Secret::new(row.encrypted_oauth_params) };
            let key = format!("{}/{}", row.plugin_id, row.provider);
            listed.push((Some(WorkspaceId(row.tenant_id.uuid())), key, stored));
        }
        for row in self.read(|| system::Entity::find().all(&self.db)).await? {
            let stored = StoredClient { enabled: true, sealed: Secret::new(row.encrypted_oauth_params) };
            listed.push((None, format!("{}/{}", row.plugin_id, row.provider), stored));
        }
        Ok(listed)
    }
}
