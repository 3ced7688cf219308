//! The caller's account and workspaces. One statement reads both, and whether the account is active.

use super::context::ServiceContext;
use crate::domain::{
    Result,
    account::AccountView,
    caller::Caller,
    id::{AccountId, WorkspaceId},
    member::{RequiredRole, workspace_not_found},
    secret::bearer_invalid,
    workspace::{Membership, WorkspaceStatus},
};

#[derive(Clone)]
pub struct Identity {
    context: ServiceContext,
}

impl Identity {
    pub fn new(context: ServiceContext) -> Self {
        Self { context }
    }

    /// The caller's account with its workspaces; `None` for an external identity. Fails with `bearer_invalid` unless
    /// the account is active.
    pub async fn account(&self, caller: &Caller) -> Result<Option<AccountView>> {
        match caller.token.subject.account_id() {
            Some(id) => self.active_account(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The caller's workspaces, oldest first.
    pub async fn workspaces(&self, caller: &Caller) -> Result<Vec<Membership>> {
        Ok(self.account(caller).await?.map(|view| view.memberships).unwrap_or_default())
    }

    /// One of the caller's workspaces. Fails with `not_found` for all others, and for text that is not a UUID.
    pub async fn workspace(&self, caller: &Caller, id: &str) -> Result<Membership> {
        let memberships = self.workspaces(caller).await?;
        let id: Option<WorkspaceId> = id.parse().ok();
        let membership = memberships.into_iter().find(|membership| Some(membership.workspace_id) == id);
        membership.ok_or_else(workspace_not_found)
    }

    /// One of the caller's workspaces in normal state, in which the caller has at least this role. Fails with
    /// `not_found` and `forbidden`.
    pub(super) async fn require_role(&self, caller: &Caller, id: &str, required: RequiredRole) -> Result<Membership> {
        if let Ok(id) = id.parse() {
            self.require_role_in(caller, id, required).await
        } else {
            // An account that is not active is reported first.
            self.account(caller).await?;
            Err(workspace_not_found())
        }
    }

    /// Like [`Self::require_role`], for a known workspace.
    pub(super) async fn require_role_in(
        &self,
        caller: &Caller,
        id: WorkspaceId,
        required: RequiredRole,
    ) -> Result<Membership> {
        let memberships = self.workspaces(caller).await?;
        let is_open = |one: &Membership| one.workspace_id == id && one.status.is(WorkspaceStatus::Normal);
        let membership = memberships.into_iter().find(is_open).ok_or_else(workspace_not_found)?;
        required.check(&membership.role)?;
        Ok(membership)
    }

    /// Makes a workspace the account's current one. Fails with `not_found` for one that it has not joined.
    pub async fn switch(&self, caller: &Caller, id: &str) -> Result<Membership> {
        let subject = &caller.token.subject;
        let account = subject.account_id().ok_or_else(workspace_not_found)?;
        self.context.require_active(account).await?;
        self.context.switch_account(account, subject.email(), id, Some(caller.token.token_id)).await
    }

    /// The default workspace of an active account.
    pub async fn default_workspace(&self, account: AccountId) -> Result<Option<WorkspaceId>> {
        let view = self.active_account(account).await?;
        Ok(view.default_workspace().map(|membership| membership.workspace_id))
    }

    async fn active_account(&self, id: AccountId) -> Result<AccountView> {
        self.context.sql.find_account_view(id).await?.filter(|view| view.account.is_active()).ok_or_else(bearer_invalid)
    }
}
