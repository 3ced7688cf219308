//! Manifests that operators have imported.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, EntityTrait as _, QueryOrder as _, sea_query::OnConflict};

use crate::{
    domain::{
        connection::{manifest::ProviderManifest, provider_key::ProviderKey},
        error::{Error, Result},
    },
    store::sql::{entity::connection_provider as provider, sql_store::SqlStore, timestamp::to_micros},
};

impl SqlStore {
    /// The imported manifests by key.
    pub async fn list_imported_providers(&self) -> Result<Vec<(ProviderKey, ProviderManifest)>> {
        let select = provider::Entity::find().order_by_asc(provider::Column::Provider);
        let rows = self.read(|| select.clone().all(&self.db)).await?;
        rows.into_iter()
            .map(|row| {
                let key = row.provider.parse().map_err(Error::internal)?;
                Ok((key, serde_json::from_str(&row.manifest).map_err(Error::internal)?))
            })
            .collect()
    }

    pub async fn find_imported_provider(&self, key: &ProviderKey) -> Result<Option<ProviderManifest>> {
        let found = self.read(|| provider::Entity::find_by_id(key.to_string()).one(&self.db)).await?;
        found.map(|row| serde_json::from_str(&row.manifest).map_err(Error::internal)).transpose()
    }

    /// Stores a manifest in place of an earlier one.
    pub async fn put_provider(&self, key: &ProviderKey, manifest: &ProviderManifest, now: DateTime<Utc>) -> Result<()> {
        let row = provider::ActiveModel {
            provider: Set(key.to_string()),
            manifest: Set(serde_json::to_string(manifest).map_err(Error::internal)?),
            updated_at: Set(to_micros(now)),
        };
        let on_conflict = OnConflict::column(provider::Column::Provider)
            .update_columns([provider::Column::Manifest, provider::Column::UpdatedAt])
            .to_owned();
        let insert = provider::Entity::insert(row).on_conflict(on_conflict);
        self.call("INSERT", insert.exec_without_returning(&self.db)).await?;
        Ok(())
    }

    /// Deletes an imported manifest. Returns whether there was one.
    pub async fn delete_provider(&self, key: &ProviderKey) -> Result<bool> {
        let delete = provider::Entity::delete_by_id(key.to_string());
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected > 0)
    }
}
