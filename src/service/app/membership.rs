//! An account's membership of a workspace, and the error without one.
//!
//! The statement that reads the requested rows also reads the membership, so the verdicts in the token cache would save
//! nothing and are not used. They are corrected for Dify, which uses them.

use super::{Apps, named, not_found::no_such_app, workspace_id_required};
use crate::domain::{
    Code, Error, Result,
    caller::Caller,
    id::{AccountId, WorkspaceId},
    secret::inactive_account,
    workspace::MembershipStatus,
};

/// Limit of verdicts in a cache entry, which is read on every request.
const MAX_VERDICTS: usize = 32;

impl Apps {
    /// Fails for an account that is not a member. The error depends on the origin of the workspace: `named` by the
    /// caller, or read from the app's row (contract section 4, step 10).
    pub(super) async fn check_membership(
        &self,
        caller: &Caller,
        membership: MembershipStatus,
        named: Option<WorkspaceId>,
    ) -> Result<()> {
        match membership {
            MembershipStatus::Inactive => Err(inactive_account()),
            MembershipStatus::Member(workspace) => {
                self.record_membership(caller, workspace, true).await;
                Ok(())
            }
            MembershipStatus::NotMember => match named {
                Some(workspace) => {
                    self.record_membership(caller, workspace, false).await;
                    Err(not_a_member())
                }
                None => Err(no_such_app()),
            },
        }
    }

    /// Corrects the cached verdict. A negative one only replaces a positive one, because a caller may name any number
    /// of workspaces.
    async fn record_membership(&self, caller: &Caller, workspace: WorkspaceId, member: bool) {
        let Some(verdicts) = &caller.token.verdicts else { return };
        let known = verdicts.get(&workspace).copied();
        let is_new = known.is_none() && member && verdicts.len() < MAX_VERDICTS;
        if is_new || known.is_some_and(|known| known != member) {
            // Best effort: the entry expires within a minute.
            let _ = self.token_cache.set_membership(&caller.hash, caller.token.token_id, workspace, member).await;
        }
    }

    /// The workspace that the caller named. Strict deployments require one.
    pub(super) async fn optional_workspace(
        &self,
        account: AccountId,
        text: Option<&str>,
    ) -> Result<Option<WorkspaceId>> {
        match named(text) {
            Some(text) => self.workspace(account, text).await.map(Some),
            None if self.settings.strict_workspace_id => Err(workspace_id_required()),
            None => Ok(None),
        }
    }

    /// The workspace of an account that has exactly one.
    pub(super) async fn only_workspace(&self, account: AccountId) -> Result<Option<WorkspaceId>> {
        let view = self.context.sql.find_account_view(account).await?;
        Ok(view.and_then(|view| match view.memberships.as_slice() {
            [membership] => Some(membership.workspace_id),
            _ => None,
        }))
    }

    /// Reads the id of a workspace. Text that is not an id gives the error of a workspace without the membership.
    pub(super) async fn workspace(&self, account: AccountId, text: &str) -> Result<WorkspaceId> {
        let Ok(id) = text.parse() else {
            self.context.require_active(account).await?;
            return Err(not_a_member());
        };
        Ok(id)
    }

    /// The error for text that is not the id of an app. Fails with an earlier error in the contract's order.
    pub(super) async fn not_found_error(
        &self,
        caller: &Caller,
        account: AccountId,
        workspace: Option<WorkspaceId>,
    ) -> Result<Error> {
        match workspace {
            Some(id) => {
                self.check_membership(caller, self.context.sql.find_membership_status(account, id).await?, workspace)
                    .await?;
            }
            None => self.context.require_active(account).await?,
        }
        Ok(no_such_app())
    }
}

fn not_a_member() -> Error {
    Error::new(Code::WorkspaceMembershipRevoked, "You are not a member of this workspace.")
        .with_hint("GET /openapi/v1/workspaces lists your workspaces.")
}
