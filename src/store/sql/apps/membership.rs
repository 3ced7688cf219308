//! Whether an account is a member of a workspace.

use sea_orm::{DbErr, QueryResult};

use crate::{
    domain::{
        account::AccountStatus,
        error::Result,
        id::{AccountId, WorkspaceId},
        workspace::MembershipStatus,
    },
    store::sql::{columns::read_word, db_uuid::DbUuid, sql_store::SqlStore},
};

impl SqlStore {
    /// The account's membership in a workspace. One statement.
    pub async fn find_membership_status(&self, account: AccountId, workspace: WorkspaceId) -> Result<MembershipStatus> {
        match self.membership_row(account, workspace).await? {
            Some(row) => Ok(read_membership_status(&row)?),
            None => Ok(MembershipStatus::Inactive),
        }
    }

    /// The row for [`read_membership_status`], with the workspace's name as `workspace_name`.
    pub(super) async fn membership_row(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
    ) -> Result<Option<QueryResult>> {
        let values = [self.id(workspace.0).into(), self.id(account.0).into()];
        self.query_one_raw(self.statement(&self.rendered.apps.membership, values)).await
    }
}

/// Reads the columns that every statement of `queries` selects for the account.
pub(super) fn read_membership_status(row: &QueryResult) -> Result<MembershipStatus, DbErr> {
    if !read_word(row, "account_status")?.is(AccountStatus::Active) {
        return Ok(MembershipStatus::Inactive);
    }
    let joined: Option<DbUuid> = row.try_get_by("joined_tenant_id")?;
    Ok(joined.map_or(MembershipStatus::NotMember, |id| MembershipStatus::Member(WorkspaceId(id.uuid()))))
}
