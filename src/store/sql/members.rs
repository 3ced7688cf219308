//! Members of a workspace: listed, invited, changed and removed. A workspace keeps its owner.
//!
//! Every change locks the rows of its actor and of its member and reads both roles within one transaction, so that an
//! actor who loses the role at the same time changes nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement, SimpleExpr},
};

use super::{
    columns::{read_account, read_word, select_account},
    db_uuid::DbUuid,
    entity::{account, tenant_account_join as join},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::naive_utc,
    workspaces::NewMember,
};
use crate::domain::{
    error::{Code, Error, Result},
    id::{AccountId, WorkspaceId},
    member::{Actor, Invitation, Member, RequiredRole, member_not_found, workspace_not_found},
    page::{Page, PageRequest},
    stored::StoredValue,
    workspace::WorkspaceRole,
};

impl SqlStore {
    /// A page of a workspace's members, those who joined first at the beginning.
    pub async fn list_members(&self, workspace: WorkspaceId, request: PageRequest) -> Result<Page<Member>> {
        let mut count = self.members(workspace);
        count.expr_as(Expr::col((join::Entity, join::Column::Id)).count(), "total");
        let mut select = self.members(workspace);
        select_account(&mut select);
        select
            .expr_as(Expr::col((join::Entity, join::Column::Role)), "role")
            .order_by((join::Entity, join::Column::CreatedAt), Order::Asc)
            .order_by((join::Entity, join::Column::Id), Order::Asc)
            .limit(u64::from(request.limit))
            .offset(request.offset());
        let total = match self.query_one(&count).await? {
            Some(row) => u64::try_from(row.try_get_by::<i64, _>("total")?).unwrap_or(0),
            None => 0,
        };
        let rows = self.query_all(&select).await?;
        let read = |row| Ok::<_, Error>(Member { account: read_account(row)?, role: read_word(row, "role")? });
        Ok(Page { request, total, data: rows.iter().map(read).collect::<Result<_>>()? })
    }

    fn members(&self, workspace: WorkspaceId) -> SelectStatement {
        let is_account =
            Expr::col((account::Entity, account::Column::Id)).equals((join::Entity, join::Column::AccountId));
        Query::select()
            .from(join::Entity)
            .inner_join(account::Entity, is_account)
            .and_where(Expr::col((join::Entity, join::Column::TenantId)).eq(self.id(workspace.0)))
            .take()
    }

    /// Makes an account a member, and creates the account if that is requested. Returns its id; `None` when the email
    /// address has no account and none is to be created. An account that another invitation creates meanwhile becomes
    /// the member. Fails with `not_found` and `forbidden` for the actor, and with `already_exists` for a member.
    pub async fn invite_member(
        &self,
        workspace: WorkspaceId,
        by: AccountId,
        invitation: Invitation<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<AccountId>> {
        invitation.role.require_assignable()?;
        self.call("TRANSACTION", with_retries(|| self.try_invite_member(workspace, by, invitation, now))).await
    }

    async fn try_invite_member(
        &self,
        workspace: WorkspaceId,
        by: AccountId,
        invitation: Invitation<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<AccountId>, SqlError> {
        let transaction = self.begin().await?;
        self.lock_actor(&transaction, workspace, Actor::Member(by), RequiredRole::Admin).await?;
        let account =
            match (self.find_locked_account(&transaction, invitation.email).await?, invitation.new_account_name) {
                (Some(account), _) => account,
                (None, Some(name)) => {
                    self.id(self.insert_pending_account(&transaction, invitation.email, name, now).await?.0)
                }
                (None, None) => return Ok(None),
            };
        let (workspace, invited_by) = (self.id(workspace.0), Some(self.id(by.0)));
        let member = NewMember { workspace, account, role: invitation.role, invited_by };
        self.join(&transaction, &member, now).await?;
        transaction.commit().await?;
        Ok(Some(AccountId(account.uuid())))
    }

    /// Gives a member another role. Fails with `invalid_param` for the owner's role, with `invalid_request` for the
    /// owner and for the actor's own role, with `forbidden` for an actor who is no administrator, and with `not_found`
    /// for an account that is not a member.
    pub async fn set_member_role(
        &self,
        workspace: WorkspaceId,
        account: AccountId,
        role: WorkspaceRole,
        by: Actor,
        now: DateTime<Utc>,
    ) -> Result<()> {
        role.require_assignable()?;
        let change = || async {
            let transaction = self.begin().await?;
            self.lock_member(&transaction, workspace, account, by).await?;
            join::Entity::update_many()
                .col_expr(join::Column::Role, Expr::value(role.as_str()))
                .col_expr(join::Column::UpdatedAt, Expr::value(naive_utc(now)))
                .filter(self.is_member(workspace, account))
                .exec(&transaction)
                .await?;
            Ok(transaction.commit().await?)
        };
        self.call("TRANSACTION", with_retries(change)).await
    }

    /// Removes a member. Fails as [`Self::set_member_role`] does.
    pub async fn remove_member(&self, workspace: WorkspaceId, account: AccountId, by: Actor) -> Result<()> {
        let removal = || async {
            let transaction = self.begin().await?;
            self.lock_member(&transaction, workspace, account, by).await?;
            join::Entity::delete_many().filter(self.is_member(workspace, account)).exec(&transaction).await?;
            Ok(transaction.commit().await?)
        };
        self.call("TRANSACTION", with_retries(removal)).await
    }

    /// Locks the rows of the actor, whose role must suffice, and of a member who is neither the owner nor the actor.
    async fn lock_member(
        &self,
        transaction: &DatabaseTransaction,
        workspace: WorkspaceId,
        account: AccountId,
        by: Actor,
    ) -> Result<(), SqlError> {
        let accounts: Vec<_> = by.account().into_iter().chain([account]).collect();
        let roles = self.lock_roles(transaction, workspace, &accounts).await?;
        if let Some(actor) = by.account() {
            check_role(&roles, actor, RequiredRole::Admin)?;
            if actor == account {
                return Err(Error::new(Code::InvalidRequest, "You cannot change your own membership.")
                    .with_hint("Ask another administrator of the workspace.")
                    .into());
            }
        }
        match roles.get(&account) {
            None => Err(member_not_found().into()),
            Some(role) if role.is(WorkspaceRole::Owner) => {
                Err(Error::new(Code::InvalidRequest, "The owner of a workspace stays its owner.").into())
            }
            Some(_) => Ok(()),
        }
    }

    /// Locks the row of the actor, whose role must suffice. An operator has none.
    pub(super) async fn lock_actor(
        &self,
        transaction: &DatabaseTransaction,
        workspace: WorkspaceId,
        by: Actor,
        required: RequiredRole,
    ) -> Result<(), SqlError> {
        let Some(actor) = by.account() else { return Ok(()) };
        let roles = self.lock_roles(transaction, workspace, &[actor]).await?;
        Ok(check_role(&roles, actor, required)?)
    }

    /// Locks these members' rows in one order, so that two changes of each other's rows run one after the other.
    async fn lock_roles(
        &self,
        transaction: &DatabaseTransaction,
        workspace: WorkspaceId,
        accounts: &[AccountId],
    ) -> Result<Roles, SqlError> {
        let accounts = accounts.iter().map(|account| self.id(account.0));
        let select = Query::select()
            .columns([join::Column::AccountId, join::Column::Role])
            .from(join::Entity)
            .and_where(join::Column::TenantId.eq(self.id(workspace.0)))
            .and_where(join::Column::AccountId.is_in(accounts))
            .order_by(join::Column::Id, Order::Asc)
            .lock(self.row_lock())
            .take();
        let rows = transaction.query_all(&select).await?;
        let account = |row: &QueryResult| row.try_get_by::<DbUuid, _>("account_id").map(|id| AccountId(id.uuid()));
        rows.iter().map(|row| Ok((account(row)?, read_word(row, "role")?))).collect()
    }

    fn is_member(&self, workspace: WorkspaceId, account: AccountId) -> SimpleExpr {
        join::Column::TenantId.eq(self.id(workspace.0)).and(join::Column::AccountId.eq(self.id(account.0)))
    }
}

/// The roles of some accounts in one workspace.
type Roles = HashMap<AccountId, StoredValue<WorkspaceRole>>;

fn check_role(roles: &Roles, actor: AccountId, required: RequiredRole) -> Result<()> {
    required.check(roles.get(&actor).ok_or_else(workspace_not_found)?)
}
