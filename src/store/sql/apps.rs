//! Apps, as listing, describing and running them read them. Every read says in the same statement what the account is to
//! the workspace, so that nothing is told to somebody whose membership was not looked at.

mod found;
mod name_filter;
mod page;
mod statements;
mod totals;

pub(super) use statements::AppStatements;
pub(super) use totals::Totals;

use sea_orm::{DbErr, QueryResult};

use super::{DbUuid, SqlStore};
use crate::domain::{
    Result,
    app::membership::MembershipStatus,
    id::{AccountId, WorkspaceId},
};

impl SqlStore {
    /// What an account is to a workspace. One statement.
    pub async fn find_membership_status(&self, account: AccountId, workspace: WorkspaceId) -> Result<MembershipStatus> {
        match self.standing_row(account, workspace).await? {
            Some(row) => Ok(read_standing(&row)?),
            None => Ok(MembershipStatus::Inactive),
        }
    }

    /// The same with the workspace's name.
    async fn standing_row(&self, account: AccountId, workspace: WorkspaceId) -> Result<Option<QueryResult>> {
        let values = [self.id(workspace.0).into(), self.id(account.0).into()];
        self.hot_row(self.hot(&self.hot.apps.standing, values)).await
    }
}

/// What the columns of `statements::standing` say.
fn read_standing(row: &QueryResult) -> Result<MembershipStatus, DbErr> {
    if row.try_get_by::<String, _>("account_status")? != "active" {
        return Ok(MembershipStatus::Inactive);
    }
    let joined: Option<DbUuid> = row.try_get_by("joined_tenant_id")?;
    Ok(joined.map_or(MembershipStatus::NotMember, |id| MembershipStatus::Member(WorkspaceId(id.uuid()))))
}

/// Names of an app's tags, in order, each once.
fn read_tags(row: &QueryResult) -> Result<Vec<String>, DbErr> {
    let names: Option<String> = row.try_get_by("tags")?;
    let mut names: Vec<String> = names
        .map_or(Ok(Vec::new()), |names| serde_json::from_str(&names))
        .map_err(|fault| DbErr::Json(fault.to_string()))?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
