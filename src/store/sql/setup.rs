//! The setup of a standalone server: the first administrator, once.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait as _, Order, sea_query::Query};

use super::{
    driver_error::is_unique_violation,
    entity::{account, setup, tenant},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::naive_utc,
    workspaces::NewMember,
};
use crate::domain::{
    error::Result,
    id::WorkspaceId,
    setup::{NewAdministrator, SetupResult, SetupState, already_set_up},
    workspace::WorkspaceRole,
};

/// The primary key of the only row. It never changes, so that setups of two releases exclude each other.
const KEY: &str = "dify-openapi";

impl SqlStore {
    /// Whether there is an account, or was one that this setup has created.
    pub async fn setup_state(&self) -> Result<SetupState> {
        let of_setup = Query::select()
            .column(setup::Column::SetupAt)
            .from(setup::Entity)
            .order_by(setup::Column::SetupAt, Order::Asc)
            .limit(1)
            .take();
        if let Some(row) = self.query_one(&of_setup).await? {
            let at = row.try_get_by::<NaiveDateTime, _>("setup_at")?.and_utc();
            return Ok(SetupState::Finished { at });
        }
        let of_account = Query::select()
            .column(account::Column::CreatedAt)
            .from(account::Entity)
            .order_by(account::Column::CreatedAt, Order::Asc)
            .limit(1)
            .take();
        Ok(match self.query_one(&of_account).await? {
            Some(row) => SetupState::Finished { at: row.try_get_by::<NaiveDateTime, _>("created_at")?.and_utc() },
            None => SetupState::NotStarted,
        })
    }

    /// Creates the first administrator with a workspace, in one transaction. Of several setups at once one succeeds;
    /// the others fail with `already_setup`, as every setup does once there is an account or a workspace.
    pub async fn set_up(&self, administrator: &NewAdministrator<'_>, now: DateTime<Utc>) -> Result<SetupResult> {
        self.call("TRANSACTION", with_retries(|| self.try_set_up(administrator, now))).await
    }

    async fn try_set_up(
        &self,
        administrator: &NewAdministrator<'_>,
        now: DateTime<Utc>,
    ) -> Result<SetupResult, SqlError> {
        let transaction = self.begin().await?;
        // First, because another setup waits here until this one has ended.
        let row = setup::ActiveModel { version: Set(KEY.to_owned()), setup_at: Set(naive_utc(now)) };
        match setup::Entity::insert(row).exec_without_returning(&transaction).await {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => return Err(already_set_up().into()),
            Err(error) => return Err(error.into()),
        }
        let of_account = Query::select().column(account::Column::Id).from(account::Entity).limit(1).take();
        let of_workspace = Query::select().column(tenant::Column::Id).from(tenant::Entity).limit(1).take();
        if transaction.query_one(&of_account).await?.is_some() || transaction.query_one(&of_workspace).await?.is_some()
        {
            return Err(already_set_up().into());
        }
        let account = self.insert_administrator(&transaction, administrator, now).await?;
        let workspace = self.insert_workspace(&transaction, administrator.workspace_name, now).await?;
        let member = NewMember { workspace, account: self.id(account.0), role: WorkspaceRole::Owner, invited_by: None };
        self.join(&transaction, &member, now).await?;
        transaction.commit().await?;
        Ok(SetupResult { account, workspace: WorkspaceId(workspace.uuid()) })
    }
}
