//! The caller's account and workspaces. One statement reads both, and whether the account is active.

use super::context::ServiceContext;
use crate::domain::{
    Error, Result,
    account::AccountView,
    caller::Caller,
    id::{AccountId, WorkspaceId},
    secret::bearer_invalid,
    workspace::Membership,
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
        memberships.into_iter().find(|membership| Some(membership.workspace_id) == id).ok_or_else(|| {
            Error::not_found("There is no such workspace.")
                .with_hint("GET /openapi/v1/workspaces lists your workspaces.")
        })
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
