//! The health of connections: whether they work, when they were used, and which refreshes have failed. Nothing is
//! recorded for a connection that was deleted.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait as _,
    sea_query::{OnConflict, Query},
};

use crate::{
    domain::{
        connection::credential::{Connection, ConnectionStatus, ReauthorizationReason, Recorded, Visibility},
        error::Result,
        id::ConnectionId,
        secret::Secret,
    },
    store::sql::{
        entity::{connection_state as state, tool_credential as credential},
        error::SqlError,
        retry::with_retries,
        sql_store::SqlStore,
        timestamp::to_micros,
    },
};

impl SqlStore {
    /// Records that a connection works.
    pub async fn mark_active(&self, id: ConnectionId) -> Result<()> {
        let mut row = self.new_state(id);
        (row.reason, row.failures, row.retry_at) = (Set(None), Set(0), Set(None));
        let columns = [state::Column::Status, state::Column::Reason, state::Column::Failures, state::Column::RetryAt];
        self.record(id, row, &columns).await
    }

    /// Records that a person has to authorize a connection again whose values are still the ones that were read.
    pub async fn mark_reauthorization_required(
        &self,
        read: &Connection,
        reason: ReauthorizationReason,
    ) -> Result<Recorded> {
        let attempt = || self.try_mark_reauthorization_required(read, reason);
        self.call("TRANSACTION", with_retries(attempt)).await
    }

    async fn try_mark_reauthorization_required(
        &self,
        read: &Connection,
        reason: ReauthorizationReason,
    ) -> Result<Recorded, SqlError> {
        let required = ConnectionStatus::ReauthorizationRequired.as_str();
        let transaction = self.begin().await?;
        if !self.lock_connection(&transaction, read.id, Some(&read.sealed)).await? {
            return Ok(Recorded::Changed);
        }
        let found = state::Entity::find_by_id(self.id(read.id.0)).one(&transaction).await?;
        if found.is_some_and(|state| state.status == required) {
            return Ok(Recorded::Before);
        }
        let mut row = self.new_state(read.id);
        (row.status, row.reason) = (Set(required.to_owned()), Set(Some(reason.as_str().to_owned())));
        put_state(&transaction, row, &[state::Column::Status, state::Column::Reason, state::Column::RetryAt]).await?;
        transaction.commit().await?;
        Ok(Recorded::Now)
    }

    /// Records a refresh that failed for a moment.
    pub async fn mark_refresh_failed(&self, id: ConnectionId, failures: u32, retry_at: DateTime<Utc>) -> Result<()> {
        let mut row = self.new_state(id);
        row.failures = Set(i32::try_from(failures).unwrap_or(i32::MAX));
        row.retry_at = Set(Some(to_micros(retry_at)));
        self.record(id, row, &[state::Column::Failures, state::Column::RetryAt]).await
    }

    /// Records a use.
    pub async fn mark_used(&self, id: ConnectionId, at: DateTime<Utc>) -> Result<()> {
        let mut row = self.new_state(id);
        row.last_used_at = Set(Some(to_micros(at)));
        self.record(id, row, &[state::Column::LastUsedAt]).await
    }

    /// The state of a connection that has none.
    pub(super) fn new_state(&self, id: ConnectionId) -> state::ActiveModel {
        state::ActiveModel {
            credential_id: Set(self.id(id.0)),
            visibility: Set(Visibility::Workspace.as_str().to_owned()),
            status: Set(ConnectionStatus::Active.as_str().to_owned()),
            reason: Set(None),
            failures: Set(0),
            retry_at: Set(None),
            last_used_at: Set(None),
        }
    }

    /// Writes these columns of the state, unless the connection was deleted. The connection's row is locked only when
    /// there is no state yet, so that a read of credentials does not wait for a change of the connection.
    async fn record(&self, id: ConnectionId, row: state::ActiveModel, columns: &[state::Column]) -> Result<()> {
        let mut update = Query::update();
        update.table(state::Entity).and_where(state::Column::CredentialId.eq(self.id(id.0)));
        for column in columns {
            if let Some(value) = row.get(*column).into_value() {
                update.value(*column, value);
            }
        }
        let update = || async { Ok::<_, SqlError>(self.db.execute(&update).await?.rows_affected()) };
        if self.call("UPDATE", with_retries(update)).await? > 0 {
            return Ok(());
        }
        let attempt = || async {
            let transaction = self.begin().await?;
            if self.lock_connection(&transaction, id, None).await? {
                put_state(&transaction, row.clone(), columns).await?;
                transaction.commit().await?;
            }
            Ok::<_, SqlError>(())
        };
        self.call("TRANSACTION", with_retries(attempt)).await
    }

    /// Locks the row of a connection. Returns whether it exists, with these values where some are named.
    async fn lock_connection(
        &self,
        transaction: &DatabaseTransaction,
        id: ConnectionId,
        sealed: Option<&Secret>,
    ) -> Result<bool, DbErr> {
        let mut lock = Query::select();
        lock.column(credential::Column::Id)
            .from(credential::Entity)
            .and_where(credential::Column::Id.eq(self.id(id.0)))
            .lock(self.row_lock());
        if let Some(sealed) = sealed {
            lock.and_where(credential::Column::EncryptedCredentials.eq(sealed.expose()));
        }
        Ok(transaction.query_one(&lock).await?.is_some())
    }
}

/// Inserts the state, or updates these columns of the existing one.
pub(super) async fn put_state(
    connection: &impl ConnectionTrait,
    row: state::ActiveModel,
    columns: &[state::Column],
) -> Result<(), DbErr> {
    let on_conflict =
        OnConflict::column(state::Column::CredentialId).update_columns(columns.iter().copied()).to_owned();
    state::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(connection).await.map(|_| ())
}
