//! The apps of a workspace whose access modes decide whether they are listed (Enterprise edition).

use sea_orm::{
    DbErr,
    sea_query::{Expr, ExprTrait},
};

use super::{
    list::read_summary,
    membership::read_membership_status,
    queries::{candidates, page},
};
use crate::{
    domain::{
        app::summary::{AppFilter, AppSummary},
        error::Result,
        id::{AccountId, AppId, WorkspaceId},
        workspace::MembershipStatus,
    },
    store::sql::{db_uuid::DbUuid, entity::app, sql_store::SqlStore},
};

/// Limit of candidates of a list. A larger workspace lists its most recently changed apps.
const MAX_CANDIDATES: u64 = 10_000;

/// The ids of a workspace's apps, newest first.
#[derive(Clone, Debug, Default)]
pub struct AppCandidates {
    pub ids: Vec<AppId>,
    workspace_name: String,
}

impl SqlStore {
    /// The listed apps of a workspace that match a filter; empty unless the account is a member. One statement.
    pub async fn list_candidates(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        filter: &AppFilter,
    ) -> Result<(MembershipStatus, AppCandidates)> {
        let filters =
            if filter.matches_nothing() { vec![Expr::cust("1 = 0")] } else { self.filters(workspace, filter) };
        let (workspace, me) = (Expr::val(self.id(workspace.0)), Expr::val(self.id(account.0)));
        let rows = self.query_all(candidates(workspace, &filters, me).limit(MAX_CANDIDATES)).await?;
        let Some(first) = rows.first() else { return Ok((MembershipStatus::Inactive, AppCandidates::default())) };
        let workspace_name: Option<String> = first.try_get_by("workspace_name")?;
        let ids = rows.iter().filter_map(|row| row.try_get_by::<Option<DbUuid>, _>("app_id").transpose());
        let ids = ids.map(|id| id.map(|id| AppId(id.uuid()))).collect::<Result<_, DbErr>>()?;
        let workspace_name = workspace_name.unwrap_or_default();
        Ok((read_membership_status(first)?, AppCandidates { ids, workspace_name }))
    }

    /// The rows of these candidates, newest first. One statement.
    pub async fn list_apps_of_candidates(
        &self,
        workspace: WorkspaceId,
        candidates: &AppCandidates,
        ids: &[AppId],
    ) -> Result<Vec<AppSummary>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let is_listed = Expr::col((app::Entity, app::Column::Id)).is_in(ids.iter().map(|id| self.id(id.0)));
        let select = page(self.backend, Expr::val(self.id(workspace.0)), &[is_listed]);
        let rows = self.query_all(&select).await?;
        let read = rows.iter().map(|row| read_summary(row, workspace, &candidates.workspace_name));
        Ok(read.collect::<Result<_, DbErr>>()?)
    }
}
