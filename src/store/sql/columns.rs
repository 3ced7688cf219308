//! Columns of accounts and workspaces that several statements select, and how their rows are read.

use chrono::NaiveDateTime;
use sea_orm::{
    DbErr, Order, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, SelectStatement, SimpleExpr},
};

use super::{
    db_uuid::DbUuid,
    entity::{account, tenant, tenant_account_join as join},
};
use crate::domain::{
    account::{Account, AccountView},
    id::{AccountId, WorkspaceId},
    stored::{StoredValue, StoredWord},
    workspace::Membership,
};

/// Reads a column that holds a word of Dify's.
pub(super) fn read_word<T: StoredWord>(row: &QueryResult, column: &str) -> Result<StoredValue<T>, DbErr> {
    row.try_get_by::<String, _>(column).map(StoredValue::from)
}

/// The condition that joins a tenant to its row in `tenant_account_joins`.
pub(super) fn joins_tenant() -> SimpleExpr {
    Expr::col((tenant::Entity, tenant::Column::Id)).equals((join::Entity, join::Column::TenantId))
}

/// Selects the columns that [`read_account`] reads.
pub(super) fn select_account(select: &mut SelectStatement) {
    let column = |column| Expr::col((account::Entity, column));
    select
        .expr_as(column(account::Column::Id), "account_id")
        .expr_as(column(account::Column::Email), "account_email")
        .expr_as(column(account::Column::Name), "account_name")
        .expr_as(column(account::Column::Status), "account_status")
        .expr_as(column(account::Column::Avatar), "account_avatar")
        .expr_as(column(account::Column::InterfaceLanguage), "account_language")
        .expr_as(column(account::Column::Timezone), "account_timezone")
        .expr_as(column(account::Column::Password).is_not_null(), "account_has_password")
        .expr_as(column(account::Column::CreatedAt), "account_created_at");
}

pub(super) fn read_account(row: &QueryResult) -> Result<Account, DbErr> {
    Ok(Account {
        id: AccountId(row.try_get_by::<DbUuid, _>("account_id")?.uuid()),
        email: row.try_get_by("account_email")?,
        name: row.try_get_by("account_name")?,
        status: read_word(row, "account_status")?,
        avatar: row.try_get_by("account_avatar")?,
        interface_language: row.try_get_by("account_language")?,
        timezone: row.try_get_by("account_timezone")?,
        has_password: row.try_get_by("account_has_password")?,
        created_at: row.try_get_by::<NaiveDateTime, _>("account_created_at")?.and_utc(),
    })
}

/// Joins an account's workspaces, oldest first, and selects the columns that [`read_account_view`] reads.
pub(super) fn join_workspaces(select: &mut SelectStatement) {
    let workspace = |column| Expr::col((tenant::Entity, column));
    let member = Expr::col((join::Entity, join::Column::AccountId)).equals((account::Entity, account::Column::Id));
    select
        .expr_as(workspace(tenant::Column::Id), "workspace_id")
        .expr_as(workspace(tenant::Column::Name), "workspace_name")
        .expr_as(workspace(tenant::Column::Status), "workspace_status")
        .expr_as(workspace(tenant::Column::Plan), "workspace_plan")
        .expr_as(workspace(tenant::Column::CreatedAt), "workspace_created_at")
        .expr_as(Expr::col((join::Entity, join::Column::Role)), "workspace_role")
        .expr_as(Expr::col((join::Entity, join::Column::Current)), "workspace_current")
        .join(JoinType::LeftJoin, join::Entity, member)
        .join(JoinType::LeftJoin, tenant::Entity, joins_tenant())
        .order_by((tenant::Entity, tenant::Column::CreatedAt), Order::Asc)
        .order_by((tenant::Entity, tenant::Column::Id), Order::Asc);
}

/// Reads an account and its workspaces from one row for each workspace; `None` without a row.
pub(super) fn read_account_view(rows: &[QueryResult]) -> Result<Option<AccountView>, DbErr> {
    let Some(first) = rows.first() else { return Ok(None) };
    let memberships = rows.iter().filter_map(|row| read_membership(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Some(AccountView { account: read_account(first)?, memberships }))
}

/// An account without a workspace has one row, whose workspace is null.
fn read_membership(row: &QueryResult) -> Result<Option<Membership>, DbErr> {
    let Some(id) = row.try_get_by::<Option<DbUuid>, _>("workspace_id")? else { return Ok(None) };
    Ok(Some(Membership {
        workspace_id: WorkspaceId(id.uuid()),
        name: row.try_get_by("workspace_name")?,
        role: read_word(row, "workspace_role")?,
        status: read_word(row, "workspace_status")?,
        plan: row.try_get_by("workspace_plan")?,
        current: row.try_get_by("workspace_current")?,
        created_at: row.try_get_by::<NaiveDateTime, _>("workspace_created_at")?.and_utc(),
    }))
}
