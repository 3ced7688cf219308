//! The signed-in account as a member of its current workspace.

use super::Connections;
use crate::domain::{
    Code, Error, Result,
    caller::ConsoleCaller,
    connection::credential::{Connection, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_MEMBER},
    id::{AccountId, WorkspaceId},
    member::RequiredRole,
    workspace::{Membership, WorkspaceStatus},
};

/// An account in its current workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentMember {
    pub account: AccountId,
    pub workspace: WorkspaceId,
    /// Owners and administrators set up OAuth clients and change every connection that they see.
    pub is_admin: bool,
}

impl CurrentMember {
    fn new(account: AccountId, membership: &Membership) -> Self {
        let is_admin = RequiredRole::Admin.is_met_by(&membership.role);
        Self { account, workspace: membership.workspace_id, is_admin }
    }

    /// Most connections of the member to one provider.
    pub(super) fn max_connections(self) -> u64 {
        if self.is_admin { MAX_CONNECTIONS } else { MAX_CONNECTIONS_OF_MEMBER }
    }

    /// Fails with `forbidden` for other members.
    pub(super) fn require_admin(self) -> Result<Self> {
        if self.is_admin { Ok(self) } else { Err(RequiredRole::Admin.unmet()) }
    }

    /// Fails with `forbidden` unless the member owns the connection or is an administrator.
    pub(super) fn require_change(self, connection: &Connection) -> Result<()> {
        if self.is_admin || connection.owner == self.account {
            Ok(())
        } else {
            Err(forbidden("Only its owner and administrators of the workspace may change a connection."))
        }
    }

    /// Fails with `forbidden` unless the member may replace the account that the connection is for: the owner, and
    /// administrators where the workspace uses it.
    pub(super) fn require_reauthorization(self, connection: &Connection) -> Result<()> {
        self.require_change(connection)?;
        if connection.is_visible_to(self.account) {
            Ok(())
        } else {
            Err(forbidden("Only its owner may authorize this connection again."))
        }
    }

    /// Whether the member sees the connection. Administrators see those of others, without their secrets.
    pub(super) fn sees(self, connection: &Connection) -> bool {
        self.is_admin || connection.is_visible_to(self.account)
    }
}

fn forbidden(message: &'static str) -> Error {
    Error::new(Code::Forbidden, message)
}

impl Connections {
    /// The member that a browser session speaks for. Fails with `not_found` without a workspace.
    pub async fn member(&self, caller: &ConsoleCaller) -> Result<CurrentMember> {
        let account = caller.account.id;
        let memberships = self.memberships(account).await?;
        let membership = memberships.iter().find(|membership| membership.current).or_else(|| memberships.first());
        membership
            .map(|membership| CurrentMember::new(account, membership))
            .ok_or_else(|| Error::not_found("You have not joined a workspace."))
    }

    /// The member of this workspace; `None` when the account is not active or has left it.
    pub(super) async fn find_member(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
    ) -> Result<Option<CurrentMember>> {
        let memberships = self.memberships(account).await?;
        let membership = memberships.iter().find(|membership| membership.workspace_id == workspace);
        Ok(membership.map(|membership| CurrentMember::new(account, membership)))
    }

    async fn memberships(&self, account: AccountId) -> Result<Vec<Membership>> {
        let view = self.dependencies.context.sql.find_account_view(account).await?;
        let view = view.filter(|view| view.account.is_active());
        let mut memberships = view.map(|view| view.memberships).unwrap_or_default();
        memberships.retain(|membership| membership.status.is(WorkspaceStatus::Normal));
        Ok(memberships)
    }
}
