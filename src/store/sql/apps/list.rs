//! A page of a workspace's apps.

use chrono::NaiveDateTime;
use sea_orm::{
    DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{
    membership::read_membership_status,
    name_filter::name_contains,
    queries::{is_me, membership, page},
    tags::{has_tag, read_tags},
};
use crate::{
    domain::{
        app::{
            AppMode,
            summary::{AppFilter, AppSummary, ModeFilter, NameFilter},
        },
        error::Result,
        id::{AccountId, AppId, WorkspaceId},
        page::{Page, PageRequest},
        workspace::MembershipStatus,
    },
    store::sql::{
        columns::read_word,
        db_uuid::DbUuid,
        entity::{app, tag},
        sql_store::SqlStore,
    },
};

impl SqlStore {
    /// A page of the listed apps of a workspace, newest first; empty unless the account is a member. Two statements at
    /// most.
    pub async fn list_apps(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        filter: &AppFilter,
        request: PageRequest,
    ) -> Result<(MembershipStatus, Page<AppSummary>)> {
        let mut found = Page { request, total: 0, data: Vec::new() };
        // Totals are cached by workspace and mode. With a cached total, the first statement reads the membership only.
        let mode = filter.mode.and_then(ModeFilter::only);
        let is_plain = filter.name.is_none() && filter.tag.is_none() && !filter.matches_nothing();
        let cached = if is_plain { self.app_totals.get((workspace, mode)) } else { None };
        let filters = self.filters(workspace, filter);
        let row = match cached {
            None if !filter.matches_nothing() => self.membership_and_total(account, workspace, &filters).await?,
            _ => self.membership_row(account, workspace).await?,
        };
        let Some(row) = row else { return Ok((MembershipStatus::Inactive, found)) };
        let membership = read_membership_status(&row)?;
        if !matches!(membership, MembershipStatus::Member(_)) || filter.matches_nothing() {
            return Ok((membership, found));
        }
        found.total = match cached {
            Some(total) => total,
            None => u64::try_from(row.try_get_by::<i64, _>("total")?).unwrap_or(0),
        };
        if is_plain && cached.is_none() {
            self.app_totals.put((workspace, mode), found.total);
        }
        if request.offset() < found.total {
            let workspace_name: String = row.try_get_by("workspace_name")?;
            let rows = self.page_rows(workspace, &filters, request).await?;
            let read = rows.iter().map(|row| read_summary(row, workspace, &workspace_name));
            found.data = read.collect::<Result<_, _>>()?;
        }
        Ok((membership, found))
    }

    async fn membership_and_total(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        filters: &[SimpleExpr],
    ) -> Result<Option<QueryResult>> {
        let (account, workspace) = (self.id(account.0), self.id(workspace.0));
        if filters.is_empty() {
            let values = [workspace.into(), account.into()];
            return self.query_one_raw(self.statement(&self.rendered.apps.membership_and_total, values)).await;
        }
        let mut select = membership(Expr::val(workspace), Some(filters));
        self.query_one(select.and_where(is_me(Expr::val(account)))).await
    }

    async fn page_rows(
        &self,
        workspace: WorkspaceId,
        filters: &[SimpleExpr],
        request: PageRequest,
    ) -> Result<Vec<QueryResult>> {
        let workspace = self.id(workspace.0);
        if filters.is_empty() {
            let values = [workspace.into(), u64::from(request.limit).into(), request.offset().into()];
            return self.query_all_raw(self.statement(&self.rendered.apps.page, values)).await;
        }
        let mut select = page(self.backend, Expr::val(workspace), filters);
        self.query_all(select.limit(u64::from(request.limit)).offset(request.offset())).await
    }

    /// The conditions of a filter, beside those of every list.
    pub(in crate::store::sql) fn filters(&self, workspace: WorkspaceId, filter: &AppFilter) -> Vec<SimpleExpr> {
        let mut filters = self.filters_without_tag(filter);
        if let Some(name) = &filter.tag {
            let is_tag = self.is_same(Expr::col((tag::Entity, tag::Column::Name)), Expr::val(name.as_str()));
            filters.push(has_tag(Expr::val(self.id(workspace.0)), is_tag));
        }
        filters
    }

    /// The conditions of a filter on the app's own row.
    pub(super) fn filters_without_tag(&self, filter: &AppFilter) -> Vec<SimpleExpr> {
        let mut filters = Vec::new();
        if let Some(mode) = filter.mode.and_then(ModeFilter::only) {
            filters.push(Expr::col((app::Entity, app::Column::Mode)).eq(mode.as_str()));
        }
        match &filter.name {
            Some(NameFilter::Contains(text)) => filters.push(name_contains(self.backend, text)),
            Some(NameFilter::Id(id)) => filters.push(Expr::col((app::Entity, app::Column::Id)).eq(self.id(id.0))),
            None => {}
        }
        filters
    }
}

pub(super) fn read_summary(
    row: &QueryResult,
    workspace_id: WorkspaceId,
    workspace_name: &str,
) -> Result<AppSummary, DbErr> {
    let app = read_untagged_summary(row, workspace_id, workspace_name)?;
    Ok(AppSummary { tags: read_tags(row)?, created_by_name: row.try_get_by("author_name")?, ..app })
}

/// A row without tags and author.
pub(super) fn read_untagged_summary(
    row: &QueryResult,
    workspace_id: WorkspaceId,
    workspace_name: &str,
) -> Result<AppSummary, DbErr> {
    Ok(AppSummary {
        id: AppId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
        mode: read_word::<AppMode>(row, "mode")?
            .known()
            .ok_or_else(|| DbErr::Type("a listed app has a mode that is never listed".to_owned()))?,
        tags: Vec::new(),
        updated_at: row.try_get_by::<NaiveDateTime, _>("updated_at")?.and_utc(),
        created_by_name: None,
        workspace_id,
        workspace_name: workspace_name.to_owned(),
    })
}
