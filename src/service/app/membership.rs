//! What an account is to a workspace, and what it is told when it is nothing to it.
//!
//! SQL says so in the very statement that reads what was asked for, and so nothing would be saved by believing the token
//! cache instead: somebody who has left a workspace is out at once. The cache's verdicts are kept right all the same, for
//! Dify, which does believe them.

use super::{Apps, named, no_such_app, workspace_id_required};
use crate::domain::{
    Code, Error, Result,
    caller::Caller,
    id::{AccountId, WorkspaceId},
    secret::bearer_invalid,
    workspace::MembershipStatus,
};

/// Verdicts an entry is given at most: it is read on every request.
const MOST_VERDICTS: usize = 32;

impl Apps {
    /// Lets members through. What others learn depends on who named the workspace: the caller, or the app's row.
    pub(super) async fn judge(
        &self,
        caller: &Caller,
        membership: MembershipStatus,
        named: Option<WorkspaceId>,
    ) -> Result<()> {
        match membership {
            MembershipStatus::Inactive => Err(bearer_invalid()),
            MembershipStatus::Member(workspace) => {
                self.note(caller, workspace, true).await;
                Ok(())
            }
            MembershipStatus::NotMember => match named {
                Some(workspace) => {
                    self.note(caller, workspace, false).await;
                    Err(not_a_member())
                }
                None => Err(no_such_app()),
            },
        }
    }

    /// Corrects what the token cache has of a membership. That somebody is no member is only worth noting where the
    /// opposite stands: anybody can name workspaces they are not in.
    async fn note(&self, caller: &Caller, workspace: WorkspaceId, member: bool) {
        let Some(verdicts) = &caller.token.verdicts else { return };
        let known = verdicts.get(&workspace).copied();
        let is_new = known.is_none() && member && verdicts.len() < MOST_VERDICTS;
        if is_new || known.is_some_and(|known| known != member) {
            // Dify's verdict ends with its entry in any case, within a minute.
            let _ = self.token_cache.set_membership(&caller.hash, caller.token.token_id, workspace, member).await;
        }
    }

    /// The workspace that was named, if one was: some deployments require that.
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

    /// Reads the id of a workspace. Nobody is a member of something that is not an id.
    pub(super) async fn workspace(&self, account: AccountId, text: &str) -> Result<WorkspaceId> {
        let Ok(id) = text.parse() else {
            self.context.require_active(account).await?;
            return Err(not_a_member());
        };
        Ok(id)
    }

    /// The answer to somebody who asks for an app by something that is not an id.
    pub(super) async fn unknown_to(
        &self,
        caller: &Caller,
        account: AccountId,
        workspace: Option<WorkspaceId>,
    ) -> Result<Error> {
        match workspace {
            Some(id) => {
                self.judge(caller, self.context.sql.find_membership_status(account, id).await?, workspace).await?;
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
