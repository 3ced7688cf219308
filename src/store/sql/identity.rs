//! Accounts and their workspaces, as signing in and every account route read them.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Order, QueryFilter,
    sea_query::{Expr, ExprTrait, Func, Query, SimpleExpr},
};

use super::{
    columns::{joins_tenant, read_account, read_account_view, read_word, select_account},
    db_uuid::DbUuid,
    entity::{account, tenant, tenant_account_join as join},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::{
    account::{AccountStatus, AccountView, StoredLogin},
    error::Result,
    id::{AccountId, WorkspaceId},
    secret::Secret,
    stored::StoredValue,
    workspace::WorkspaceStatus,
};

impl SqlStore {
    /// An account, whatever its status, with its workspaces. One statement.
    pub async fn find_account_view(&self, id: AccountId) -> Result<Option<AccountView>> {
        let statement = self.statement(&self.rendered.find_account_view, [self.id(id.0).into()]);
        Ok(read_account_view(&self.query_all_raw(statement).await?)?)
    }

    pub async fn find_account_status(&self, id: AccountId) -> Result<Option<StoredValue<AccountStatus>>> {
        let statement = self.statement(&self.rendered.find_account_status, [self.id(id.0).into()]);
        let Some(row) = self.query_one_raw(statement).await? else { return Ok(None) };
        Ok(Some(read_word(&row, "status")?))
    }

    /// The account with this email address, compared without case, and its password hash.
    pub async fn find_login(&self, email: &str) -> Result<Option<StoredLogin>> {
        let mut select = Query::select();
        select_account(&mut select);
        select
            .column((account::Entity, account::Column::Password))
            .column((account::Entity, account::Column::PasswordSalt))
            .from(account::Entity)
            .and_where(self.has_email(email))
            // Dify's table may hold one address in several cases; the oldest account wins.
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .limit(1);
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        Ok(Some(StoredLogin {
            account: read_account(&row)?,
            password: row.try_get_by::<Option<String>, _>("password")?.map(Secret::new),
            salt: row.try_get_by::<Option<String>, _>("password_salt")?.map(Secret::new),
        }))
    }

    /// Whether an active account has this email address, compared without case.
    pub async fn has_active_account(&self, email: &str) -> Result<bool> {
        let select = Query::select()
            .column((account::Entity, account::Column::Id))
            .from(account::Entity)
            .and_where(self.has_email(email))
            .and_where(Expr::col((account::Entity, account::Column::Status)).eq(AccountStatus::Active.as_str()))
            .limit(1)
            .take();
        Ok(self.query_one(&select).await?.is_some())
    }

    /// Records the time and address of a sign-in.
    pub async fn record_login(&self, id: AccountId, ip: &str, now: DateTime<Utc>) -> Result<()> {
        let update = account::Entity::update_many()
            .col_expr(account::Column::LastLoginAt, Expr::value(naive_utc(now)))
            .col_expr(account::Column::LastLoginIp, Expr::value(ip))
            .filter(account::Column::Id.eq(self.id(id.0)));
        self.call("UPDATE", update.exec(&self.db)).await.map(|_| ())
    }

    /// Makes a workspace the account's current one. Returns `false` when the account is not a member or the workspace
    /// is not in normal state.
    pub async fn switch_workspace(&self, id: AccountId, workspace: WorkspaceId, now: DateTime<Utc>) -> Result<bool> {
        self.call("TRANSACTION", with_retries(|| self.try_switch_workspace(self.id(id.0), self.id(workspace.0), now)))
            .await
    }

    async fn try_switch_workspace(&self, id: DbUuid, workspace: DbUuid, now: DateTime<Utc>) -> Result<bool, SqlError> {
        let transaction = self.begin().await?;
        // Locks all rows of the account in one order, so that concurrent switches run one after the other.
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
            let status = row.try_get_by::<Option<String>, _>("status")?.map(StoredValue::from);
            let open = status.is_some_and(|status| status.is(WorkspaceStatus::Normal));
            member |= open && row.try_get_by::<DbUuid, _>("tenant_id")?.uuid() == workspace.uuid();
        }
        if !member {
            return Ok(false);
        }
        join::Entity::update_many()
            .col_expr(join::Column::Current, join::Column::TenantId.eq(workspace))
            .col_expr(join::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(join::Column::AccountId.eq(id))
            .filter(join::Column::Current.eq(true).or(join::Column::TenantId.eq(workspace)))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The condition that an account has this email address, compared without case.
    pub(super) fn has_email(&self, email: &str) -> SimpleExpr {
        let column = Expr::col((account::Entity, account::Column::Email));
        self.is_same(Func::lower(column), Func::lower(Expr::val(email)))
    }
}
