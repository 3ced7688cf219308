//! Workspaces, as an operator manages them on a standalone server.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};
use uuid::Uuid;

use super::{
    columns::{joins_tenant, read_word},
    db_uuid::DbUuid,
    driver_error::is_unique_violation,
    entity::{tenant, tenant_account_join as join},
    error::SqlError,
    not_found::workspace_not_found,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::{
    error::{Code, Error, Result},
    id::WorkspaceId,
    workspace::{Workspace, WorkspaceRole, WorkspaceStatus},
};

/// `tenants.plan` of a workspace without billing.
const PLAN: &str = "basic";

/// A row of `tenant_account_joins` that is inserted.
pub(super) struct NewMember {
    pub(super) workspace: DbUuid,
    pub(super) account: DbUuid,
    pub(super) role: WorkspaceRole,
    pub(super) invited_by: Option<DbUuid>,
}

impl SqlStore {
    /// The key that Dify encrypts the secrets of a workspace with, as PEM.
    pub async fn find_workspace_public_key(&self, workspace: WorkspaceId) -> Result<Option<String>> {
        let select = Query::select()
            .column(tenant::Column::EncryptPublicKey)
            .from(tenant::Entity)
            .and_where(Expr::col(tenant::Column::Id).eq(self.id(workspace.0)))
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        Ok(row.try_get_by("encrypt_public_key")?)
    }

    /// Creates a workspace. It becomes the current workspace of an owner who has none.
    pub async fn create_workspace(&self, name: &str, owner_email: &str, now: DateTime<Utc>) -> Result<WorkspaceId> {
        self.call("TRANSACTION", self.try_create_workspace(name, owner_email, now)).await
    }

    async fn try_create_workspace(
        &self,
        name: &str,
        owner_email: &str,
        now: DateTime<Utc>,
    ) -> Result<WorkspaceId, SqlError> {
        let transaction = self.begin().await?;
        let owner = self.lock_account(&transaction, owner_email).await?;
        let workspace = self.insert_workspace(&transaction, name, now).await?;
        let member = NewMember { workspace, account: owner, role: WorkspaceRole::Owner, invited_by: None };
        self.join(&transaction, &member, now).await?;
        transaction.commit().await?;
        Ok(WorkspaceId(workspace.uuid()))
    }

    /// Creates a workspace without members.
    pub(super) async fn insert_workspace(
        &self,
        transaction: &DatabaseTransaction,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<DbUuid, DbErr> {
        let id = self.id(Uuid::new_v4());
        let row = tenant::ActiveModel {
            id: Set(id),
            name: Set(name.to_owned()),
            plan: Set(PLAN.to_owned()),
            status: Set(WorkspaceStatus::Normal.as_str().to_owned()),
            created_at: Set(naive_utc(now)),
            updated_at: Set(naive_utc(now)),
            ..Default::default()
        };
        tenant::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(id)
    }

    /// Gives a workspace another name. Fails with `not_found`.
    pub async fn rename_workspace(&self, id: WorkspaceId, name: &str, now: DateTime<Utc>) -> Result<()> {
        let update = tenant::Entity::update_many()
            .col_expr(tenant::Column::Name, Expr::value(name))
            .col_expr(tenant::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(tenant::Column::Id.eq(self.id(id.0)));
        match self.call("UPDATE", update.exec(&self.db)).await?.rows_affected {
            0 => Err(workspace_not_found()),
            _ => Ok(()),
        }
    }

    /// Adds an account to a workspace. Fails with `invalid_param` for the owner's role, and with `already_exists`
    /// for an account that is a member already.
    pub async fn add_member(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: WorkspaceRole,
        now: DateTime<Utc>,
    ) -> Result<()> {
        role.require_assignable()?;
        self.call("TRANSACTION", self.try_add_member(workspace, email, role, now)).await
    }

    async fn try_add_member(
        &self,
        workspace: WorkspaceId,
        email: &str,
        role: WorkspaceRole,
        now: DateTime<Utc>,
    ) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        let account = self.lock_account(&transaction, email).await?;
        let id = self.id(workspace.0);
        let exists =
            Query::select().column(tenant::Column::Id).from(tenant::Entity).and_where(tenant::Column::Id.eq(id)).take();
        if transaction.query_one(&exists).await?.is_none() {
            return Err(workspace_not_found().into());
        }
        self.join(&transaction, &NewMember { workspace: id, account, role, invited_by: None }, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Adds a member. The workspace becomes the current one of an account that has none. Fails with `already_exists`.
    pub(super) async fn join(
        &self,
        transaction: &DatabaseTransaction,
        member: &NewMember,
        now: DateTime<Utc>,
    ) -> Result<(), SqlError> {
        let current = Query::select()
            .column(join::Column::Id)
            .from(join::Entity)
            .and_where(join::Column::AccountId.eq(member.account))
            .and_where(join::Column::Current.eq(true))
            .limit(1)
            .take();
        let first = transaction.query_one(&current).await?.is_none();
        let row = join::ActiveModel {
            id: Set(self.id(Uuid::new_v4())),
            tenant_id: Set(member.workspace),
            account_id: Set(member.account),
            role: Set(member.role.as_str().to_owned()),
            invited_by: Set(member.invited_by),
            created_at: Set(naive_utc(now)),
            updated_at: Set(naive_utc(now)),
            current: Set(first),
        };
        match join::Entity::insert(row).exec_without_returning(transaction).await {
            Ok(_) => Ok(()),
            Err(error) if is_unique_violation(&error) => {
                Err(Error::new(Code::AlreadyExists, "This account is already a member of the workspace.").into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Every workspace, oldest first.
    pub async fn list_workspaces(&self) -> Result<Vec<Workspace>> {
        let column = |column| (tenant::Entity, column);
        let select = Query::select()
            .columns([column(tenant::Column::Id), column(tenant::Column::Name), column(tenant::Column::Status)])
            .expr_as(Expr::col((join::Entity, join::Column::Id)).count(), "members")
            .from(tenant::Entity)
            .join(JoinType::LeftJoin, join::Entity, joins_tenant())
            .group_by_col(column(tenant::Column::Id))
            .order_by(column(tenant::Column::CreatedAt), Order::Asc)
            .order_by(column(tenant::Column::Id), Order::Asc)
            .take();
        Ok(self.query_all(&select).await?.iter().map(read_workspace).collect::<Result<_, _>>()?)
    }
}

fn read_workspace(row: &QueryResult) -> Result<Workspace, DbErr> {
    Ok(Workspace {
        id: WorkspaceId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        status: read_word(row, "status")?,
        members: u64::try_from(row.try_get_by::<i64, _>("members")?).unwrap_or(0),
    })
}
