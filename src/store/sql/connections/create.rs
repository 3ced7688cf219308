//! Stores new connections.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QuerySelect as _,
};

use crate::{
    domain::{
        connection::credential::{ConnectionStatus, MAX_CONNECTIONS, NewConnection},
        error::{Code, Error, Result},
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
    /// Stores a connection and returns its name. An automatic name is the first free `AUTH n`. Fails with
    /// `already_exists` for a name that is taken, and with `invalid_param` when the workspace has [`MAX_CONNECTIONS`]
    /// to the provider, or the owner as many as it may.
    pub async fn create_connection(&self, new: &NewConnection) -> Result<String> {
        self.call("TRANSACTION", with_retries(|| self.try_create_connection(new))).await
    }

    async fn try_create_connection(&self, new: &NewConnection) -> Result<String, SqlError> {
        let has_visibility = self.has_visibility_column().await?;
        let transaction = self.begin().await?;
        // Only one connection of a workspace is created at a time, so that the count and the automatic name hold.
        self.lock_workspace(&transaction, self.id(new.workspace_id.0)).await?;
        let of_provider = credential::Entity::find()
            .filter(credential::Column::TenantId.eq(self.id(new.workspace_id.0)))
            .filter(credential::Column::Provider.eq(new.provider.as_str()));
        if of_provider.clone().count(&transaction).await? >= MAX_CONNECTIONS {
            return Err(Error::new(
                Code::InvalidParam,
                format!("A workspace has at most {MAX_CONNECTIONS} connections to one provider."),
            )
            .with_hint("Remove one that is not used any more.")
            .into());
        }
        let of_owner = of_provider.clone().filter(credential::Column::UserId.eq(self.id(new.owner.0)));
        if of_owner.count(&transaction).await? >= new.max_of_owner {
            let max = new.max_of_owner;
            return Err(Error::new(
                Code::InvalidParam,
                format!("A member has at most {max} connections to one provider."),
            )
            .with_hint("Remove one that you do not use any more, or ask an administrator to add it.")
            .into());
        }
        let name = if let Some(name) = &new.name {
            name.clone()
        } else {
            let names: Vec<String> =
                of_provider.select_only().column(credential::Column::Name).into_tuple().all(&transaction).await?;
            first_free_name(&names)
        };
        self.insert_connection(&transaction, new, &name).await.map_err(|error| {
            if is_unique_violation(&error) { SqlError::from(name_is_taken()) } else { error.into() }
        })?;
        self.put_visibility(&transaction, has_visibility, new.id, new.visibility).await?;
        transaction.commit().await?;
        Ok(name)
    }

    async fn insert_connection(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewConnection,
        name: &str,
    ) -> Result<(), DbErr> {
        let row = credential::ActiveModel {
            id: Set(self.id(new.id.0)),
            tenant_id: Set(Some(self.id(new.workspace_id.0))),
            user_id: Set(self.id(new.owner.0)),
            provider: Set(new.provider.clone()),
            encrypted_credentials: Set(Some(new.sealed.expose().to_owned())),
            created_at: Set(naive_utc(new.created_at)),
            updated_at: Set(naive_utc(new.created_at)),
            name: Set(name.to_owned()),
            is_default: Set(false),
            credential_type: Set(new.kind.as_str().to_owned()),
            expires_at: Set(new.expires_at),
        };
        credential::Entity::insert(row).exec_without_returning(transaction).await?;
        let row = state::ActiveModel {
            credential_id: Set(self.id(new.id.0)),
            visibility: Set(new.visibility.as_str().to_owned()),
            status: Set(ConnectionStatus::Active.as_str().to_owned()),
            reason: Set(None),
            failures: Set(0),
            retry_at: Set(None),
            last_used_at: Set(None),
        };
        state::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(())
    }
}

/// The error for a name that another connection of the workspace to the provider has.
pub(super) fn name_is_taken() -> Error {
    Error::new(Code::AlreadyExists, "Another connection to this provider has this name.")
        .with_hint("Choose another name.")
}

fn first_free_name(names: &[String]) -> String {
    let mut number = names.len() + 1;
    loop {
        let name = format!("AUTH {number}");
        if !names.contains(&name) {
            return name;
        }
        number += 1;
    }
}
