//! Changes and deletes connections.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, EntityTrait as _, QueryFilter as _,
};

use super::{create::name_is_taken, health::put_state};
use crate::{
    domain::{
        connection::credential::{Connection, ConnectionChange, ReplacedCredentials},
        error::Result,
        id::ConnectionId,
    },
    store::sql::{
        driver_error::is_unique_violation,
        entity::{connection_state as state, tool_credential as credential},
        error::SqlError,
        retry::with_retries,
        sql_store::SqlStore,
        timestamp::naive_utc,
    },
};

impl SqlStore {
    /// Replaces the values of a connection in one statement. Returns `false` when the stored values are not the old
    /// ones any more.
    pub async fn replace_credentials(&self, id: ConnectionId, replaced: ReplacedCredentials<'_>) -> Result<bool> {
        let row = credential::ActiveModel {
            encrypted_credentials: Set(Some(replaced.new.expose().to_owned())),
            expires_at: Set(replaced.expires_at),
            updated_at: Set(naive_utc(replaced.now)),
            ..Default::default()
        };
        let update = credential::Entity::update_many()
            .set(row)
            .filter(credential::Column::Id.eq(self.id(id.0)))
            .filter(credential::Column::EncryptedCredentials.eq(replaced.old.expose()));
        Ok(self.call("UPDATE", update.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Changes a connection. Fails with `already_exists` for a name that is taken. Returns `false` when the values or
    /// the whole connection have changed since they were read.
    pub async fn change_connection(
        &self,
        read: &Connection,
        change: &ConnectionChange,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.call("TRANSACTION", with_retries(|| self.try_change_connection(read, change, now))).await
    }

    async fn try_change_connection(
        &self,
        read: &Connection,
        change: &ConnectionChange,
        now: DateTime<Utc>,
    ) -> Result<bool, SqlError> {
        let has_visibility = self.has_visibility_column().await?;
        let transaction = self.begin().await?;
        let row = credential::ActiveModel {
            name: change.name.clone().map_or(NotSet, Set),
            encrypted_credentials: change
                .sealed
                .as_ref()
                .map_or(NotSet, |sealed| Set(Some(sealed.expose().to_owned()))),
            updated_at: Set(naive_utc(now)),
            ..Default::default()
        };
        let update = credential::Entity::update_many()
            .set(row)
            .filter(credential::Column::Id.eq(self.id(read.id.0)))
            .filter(credential::Column::EncryptedCredentials.eq(read.sealed.expose()))
            .exec(&transaction)
            .await;
        let updated =
            update.map_err(
                |error| {
                    if is_unique_violation(&error) { SqlError::from(name_is_taken()) } else { error.into() }
                },
            )?;
        if updated.rows_affected == 0 {
            return Ok(false);
        }
        if let Some(visibility) = change.visibility {
            let mut row = self.new_state(read.id);
            row.visibility = Set(visibility.as_str().to_owned());
            put_state(&transaction, row, &[state::Column::Visibility]).await?;
            self.put_visibility(&transaction, has_visibility, read.id, visibility).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Makes a connection the default of its owner for its provider.
    pub async fn make_default(&self, connection: &Connection) -> Result<()> {
        self.call("TRANSACTION", with_retries(|| self.try_make_default(connection))).await
    }

    async fn try_make_default(&self, connection: &Connection) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        let set = |is_default| {
            let row = credential::ActiveModel { is_default: Set(is_default), ..Default::default() };
            credential::Entity::update_many().set(row)
        };
        set(false)
            .filter(credential::Column::TenantId.eq(self.id(connection.workspace_id.0)))
            .filter(credential::Column::Provider.eq(connection.provider.as_str()))
            .filter(credential::Column::UserId.eq(self.id(connection.owner.0)))
            .filter(credential::Column::IsDefault.eq(true))
            .exec(&transaction)
            .await?;
        set(true).filter(credential::Column::Id.eq(self.id(connection.id.0))).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deletes a connection. Returns `false` when it does not exist any more.
    pub async fn delete_connection(&self, id: ConnectionId) -> Result<bool> {
        self.call("TRANSACTION", with_retries(|| self.try_delete_connection(id))).await
    }

    async fn try_delete_connection(&self, id: ConnectionId) -> Result<bool, SqlError> {
        let transaction = self.begin().await?;
        // In the order in which all transactions lock both rows.
        let deleted = credential::Entity::delete_many()
            .filter(credential::Column::Id.eq(self.id(id.0)))
            .exec(&transaction)
            .await?;
        state::Entity::delete_many().filter(state::Column::CredentialId.eq(self.id(id.0))).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected == 1)
    }
}
