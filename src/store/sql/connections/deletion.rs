//! Deletes the connections of deleted workspaces and accounts.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, DbErr, EntityTrait as _, QueryFilter as _,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement, SimpleExpr},
};

use crate::{
    domain::{
        connection::credential::{Connection, Visibility},
        error::Result,
        id::AccountId,
    },
    store::sql::{
        db_uuid::DbUuid,
        entity::{connection_state as state, tool_credential as credential, tool_workspace_client as client},
        sql_store::SqlStore,
    },
};

/// Rows that one statement deletes.
const CHUNK: usize = 500;

impl SqlStore {
    /// The connections that only this account may use.
    pub async fn list_private_connections(&self, account: AccountId) -> Result<Vec<Connection>> {
        let condition = is_private(self.id(account.0));
        self.connections(|select| {
            select.and_where(condition.clone());
        })
        .await
    }

    /// Deletes the connections and the OAuth clients of a workspace.
    pub(in crate::store::sql) async fn delete_connections_of_workspace(
        &self,
        transaction: &DatabaseTransaction,
        workspace: DbUuid,
    ) -> Result<(), DbErr> {
        let of_workspace = Expr::col((credential::Entity, credential::Column::TenantId)).eq(workspace);
        self.delete_connections(transaction, of_workspace).await?;
        client::Entity::delete_many().filter(client::Column::TenantId.eq(workspace)).exec(transaction).await?;
        Ok(())
    }

    /// Deletes the connections that only this account may use.
    pub(in crate::store::sql) async fn delete_private_connections(
        &self,
        transaction: &DatabaseTransaction,
        account: DbUuid,
    ) -> Result<(), DbErr> {
        self.delete_connections(transaction, is_private(account)).await
    }

    async fn delete_connections(&self, transaction: &DatabaseTransaction, condition: SimpleExpr) -> Result<(), DbErr> {
        let select = Query::select()
            .column(credential::Column::Id)
            .from(credential::Entity)
            .and_where(condition)
            .lock(self.row_lock())
            .take();
        let rows = transaction.query_all(&select).await?;
        let ids = rows.iter().map(|row| row.try_get_by("id")).collect::<Result<Vec<DbUuid>, _>>()?;
        for ids in ids.chunks(CHUNK) {
            let is_one = credential::Column::Id.is_in(ids.iter().copied());
            credential::Entity::delete_many().filter(is_one).exec(transaction).await?;
            let is_one = state::Column::CredentialId.is_in(ids.iter().copied());
            state::Entity::delete_many().filter(is_one).exec(transaction).await?;
        }
        Ok(())
    }
}

fn is_private(account: DbUuid) -> SimpleExpr {
    let private: SelectStatement = Query::select()
        .column(state::Column::CredentialId)
        .from(state::Entity)
        .and_where(state::Column::Visibility.eq(Visibility::OnlyMe.as_str()))
        .take();
    let of_account = Expr::col((credential::Entity, credential::Column::UserId)).eq(account);
    of_account.and(Expr::col((credential::Entity, credential::Column::Id)).in_subquery(private))
}
