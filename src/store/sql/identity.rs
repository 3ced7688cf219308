//! Accounts and their workspaces, as signing in and every account route read them.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::{Expr, ExprTrait, Func, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::{
    DbUuid, SqlStore,
    entity::{account, tenant, tenant_account_join as join},
    error::{SqlError, retried},
    limited, naive,
};
use crate::domain::{
    Result,
    account::{Account, AccountView, Membership, StoredLogin},
    id::{AccountId, WorkspaceId},
    secret::Secret,
};

impl SqlStore {
    /// An account, whatever its status, and its workspaces, oldest first: one statement.
    pub async fn find_account_view(&self, id: AccountId) -> Result<Option<AccountView>> {
        let statement = self.hot(&self.hot.find_account_view, [self.id(id.0).into()]);
        let rows = self.hot_rows(statement).await?;
        Ok(view(&rows)?)
    }

    /// An account's status, for callers who need nothing else of it.
    pub async fn find_account_status(&self, id: AccountId) -> Result<Option<String>> {
        let statement = self.hot(&self.hot.find_account_status, [self.id(id.0).into()]);
        let Some(row) = self.hot_row(statement).await? else { return Ok(None) };
        Ok(Some(row.try_get_by("status")?))
    }

    /// The account with this email address, in whatever case, with what its password is checked against.
    pub async fn find_login(&self, email: &str) -> Result<Option<StoredLogin>> {
        let mut select = Query::select();
        account_columns(&mut select);
        select
            .column((account::Entity, account::Column::Password))
            .column((account::Entity, account::Column::PasswordSalt))
            .from(account::Entity)
            .and_where(self.has_email(email))
            // Dify's own table may hold one address in several cases; the oldest was first.
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .limit(1);
        let Some(row) = self.row(&select).await? else { return Ok(None) };
        Ok(Some(StoredLogin {
            account: read_account(&row)?,
            password: row.try_get_by::<Option<String>, _>("password")?.map(Secret::new),
            salt: row.try_get_by::<Option<String>, _>("password_salt")?.map(Secret::new),
        }))
    }

    /// Notes when and from where an account signed in last.
    pub async fn record_login(&self, id: AccountId, ip: &str, now: DateTime<Utc>) -> Result<()> {
        let update = account::Entity::update_many()
            .col_expr(account::Column::LastLoginAt, Expr::value(naive(now)))
            .col_expr(account::Column::LastLoginIp, Expr::value(ip))
            .filter(account::Column::Id.eq(self.id(id.0)));
        limited(update.exec(&self.db)).await.map(|_| ())
    }

    /// Makes a workspace the account's current one; `false` when it is not a member or the workspace is archived.
    pub async fn switch_workspace(&self, id: AccountId, workspace: WorkspaceId, now: DateTime<Utc>) -> Result<bool> {
        limited(retried(|| self.try_switch_workspace(self.id(id.0), self.id(workspace.0), now))).await
    }

    async fn try_switch_workspace(&self, id: DbUuid, workspace: DbUuid, now: DateTime<Utc>) -> Result<bool, SqlError> {
        let transaction = self.begin().await?;
        // All of the account's rows are locked, and in one order, so that of two switches one comes after the other.
        let status = Query::select()
            .column((tenant::Entity, tenant::Column::Status))
            .from(tenant::Entity)
            .and_where(joins_tenant())
            .take();
        let all = Query::select()
            .column((join::Entity, join::Column::TenantId))
            .expr_as(SimpleExpr::SubQuery(None, Box::new(status.into())), "status")
            .from(join::Entity)
            .and_where(join::Column::AccountId.eq(id))
            .order_by((join::Entity, join::Column::Id), Order::Asc)
            .lock(self.row_lock())
            .take();
        let mut member = false;
        for row in transaction.query_all(&all).await? {
            let open = row.try_get_by::<Option<String>, _>("status")?.as_deref() == Some("normal");
            member |= open && row.try_get_by::<DbUuid, _>("tenant_id")?.uuid() == workspace.uuid();
        }
        if !member {
            return Ok(false);
        }
        join::Entity::update_many()
            .col_expr(join::Column::Current, join::Column::TenantId.eq(workspace))
            .col_expr(join::Column::UpdatedAt, Expr::value(naive(now)))
            .filter(join::Column::AccountId.eq(id))
            .filter(join::Column::Current.eq(true).or(join::Column::TenantId.eq(workspace)))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// That an account has this email address, in whatever case.
    pub(super) fn has_email(&self, email: &str) -> SimpleExpr {
        let column = Expr::col((account::Entity, account::Column::Email));
        self.is_same(Func::lower(column), Func::lower(Expr::val(email)))
    }
}

/// That a tenant is the one of a join.
pub(super) fn joins_tenant() -> SimpleExpr {
    Expr::col((tenant::Entity, tenant::Column::Id)).equals((join::Entity, join::Column::TenantId))
}

/// Selects what `read_account` reads.
pub(super) fn account_columns(select: &mut SelectStatement) {
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

/// Joins and selects what `read_membership` reads, oldest workspace first.
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

/// An account and its workspaces, out of one row for each workspace; `None` without a row.
pub(super) fn view(rows: &[QueryResult]) -> Result<Option<AccountView>, DbErr> {
    let Some(first) = rows.first() else { return Ok(None) };
    let memberships = rows.iter().filter_map(|row| read_membership(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Some(AccountView { account: read_account(first)?, memberships }))
}

pub(super) fn read_account(row: &QueryResult) -> Result<Account, DbErr> {
    Ok(Account {
        id: AccountId(row.try_get_by::<DbUuid, _>("account_id")?.uuid()),
        email: row.try_get_by("account_email")?,
        name: row.try_get_by("account_name")?,
        status: row.try_get_by("account_status")?,
        avatar: row.try_get_by("account_avatar")?,
        interface_language: row.try_get_by("account_language")?,
        timezone: row.try_get_by("account_timezone")?,
        has_password: row.try_get_by("account_has_password")?,
        created_at: row.try_get_by::<NaiveDateTime, _>("account_created_at")?.and_utc(),
    })
}

/// `None` for the one row of an account without a workspace.
fn read_membership(row: &QueryResult) -> Result<Option<Membership>, DbErr> {
    let Some(id) = row.try_get_by::<Option<DbUuid>, _>("workspace_id")? else { return Ok(None) };
    Ok(Some(Membership {
        workspace_id: WorkspaceId(id.uuid()),
        name: row.try_get_by("workspace_name")?,
        role: row.try_get_by("workspace_role")?,
        status: row.try_get_by("workspace_status")?,
        plan: row.try_get_by("workspace_plan")?,
        current: row.try_get_by("workspace_current")?,
        created_at: row.try_get_by::<NaiveDateTime, _>("workspace_created_at")?.and_utc(),
    }))
}
