//! The dependencies that most use cases share.

use std::sync::Arc;

use crate::{
    domain::{
        Error, Result,
        account::AccountStatus,
        caller::ConsoleCaller,
        id::{AccountId, TokenId, WorkspaceId},
        limit::Limits,
        member::{RequiredRole, workspace_not_found},
        secret::inactive_account,
        workspace::{Membership, WorkspaceStatus},
    },
    ports::{clock::Clock, entropy::Entropy},
    store::sql::SqlStore,
    telemetry::{
        audit::workspace::{WorkspaceEvent, WorkspaceEventKind},
        metrics::Metrics,
    },
};

/// The SQL store, clock, randomness, limits and metrics of the process.
#[derive(Clone)]
pub struct ServiceContext {
    pub sql: Arc<SqlStore>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub limits: Arc<Limits>,
    pub metrics: Arc<Metrics>,
}

impl ServiceContext {
    /// Fails with `inactive_account` unless the account is active. For use cases whose own statement does not read the
    /// account.
    pub(super) async fn require_active(&self, account: AccountId) -> Result<()> {
        match self.sql.find_account_status(account).await? {
            Some(status) if status.is(AccountStatus::Active) => Ok(()),
            _ => Err(inactive_account()),
        }
    }

    /// The current workspace of a browser session's account, in which it has at least this role. Fails with `not_found`
    /// without a workspace, and with `forbidden`.
    pub(super) async fn current_membership(
        &self,
        caller: &ConsoleCaller,
        required: RequiredRole,
    ) -> Result<Membership> {
        let view = self.sql.find_account_view(caller.account.id).await?;
        let mut open = view.map(|view| view.memberships).unwrap_or_default();
        open.retain(|membership| membership.status.is(WorkspaceStatus::Normal));
        if open.is_empty() {
            return Err(Error::not_found("You have not joined a workspace."));
        }
        let current = open.iter().position(|membership| membership.current).unwrap_or(0);
        let membership = open.swap_remove(current);
        required.check(&membership.role)?;
        Ok(membership)
    }

    /// Makes a workspace an account's current one. Fails with `not_found` for one that it has not joined, and for text
    /// that is not a UUID. `token_id` is `None` in the browser.
    pub(super) async fn switch_account(
        &self,
        account: AccountId,
        email: &str,
        workspace: &str,
        token_id: Option<TokenId>,
    ) -> Result<Membership> {
        let workspace_id: WorkspaceId = workspace.parse().map_err(|_| workspace_not_found())?;
        if !self.sql.switch_workspace(account, workspace_id, self.clock.now()).await? {
            return Err(workspace_not_found());
        }
        WorkspaceEvent { workspace_id, kind: WorkspaceEventKind::Switched, subject: email, token_id }.record();
        let view = self.sql.find_account_view(account).await?;
        let mut memberships = view.map(|view| view.memberships).unwrap_or_default().into_iter();
        memberships.find(|membership| membership.workspace_id == workspace_id).ok_or_else(workspace_not_found)
    }
}
