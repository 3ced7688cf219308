//! A page of a workspace's apps.

use chrono::NaiveDateTime;
use sea_orm::{
    DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::{
    name_filter::name_contains,
    read_standing, read_tags,
    statements::{has_tag, is_me, page, standing},
};
use crate::{
    domain::{
        Result,
        app::{
            AppMode,
            membership::MembershipStatus,
            summary::{AppFilter, AppSummary, ModeFilter, NameFilter},
        },
        id::{AccountId, AppId, WorkspaceId},
        page::{Page, PageRequest},
    },
    store::sql::{
        DbUuid, SqlStore,
        entity::{app, tag},
    },
};

impl SqlStore {
    /// A page of the apps that a workspace lists, newest first, if the account is a member of it. Two statements at most.
    pub async fn list_apps(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        filter: &AppFilter,
        request: PageRequest,
    ) -> Result<(MembershipStatus, Page<AppSummary>)> {
        let mut found = Page { request, total: 0, data: Vec::new() };
        // Narrowed by kind at most, a total may be remembered, and then the account's standing is all that is left to ask.
        let mode = filter.mode.and_then(ModeFilter::only);
        let is_plain = filter.name.is_none() && filter.tag.is_none() && !filter.matches_nothing();
        let known = if is_plain { self.totals.get((workspace, mode)) } else { None };
        let filters = self.filters(workspace, filter);
        let row = match known {
            None if !filter.matches_nothing() => self.counted_standing(account, workspace, &filters).await?,
            _ => self.standing_row(account, workspace).await?,
        };
        let Some(row) = row else { return Ok((MembershipStatus::Inactive, found)) };
        let standing = read_standing(&row)?;
        if !matches!(standing, MembershipStatus::Member(_)) || filter.matches_nothing() {
            return Ok((standing, found));
        }
        found.total = match known {
            Some(total) => total,
            None => u64::try_from(row.try_get_by::<i64, _>("total")?).unwrap_or(0),
        };
        if is_plain && known.is_none() {
            self.totals.put((workspace, mode), found.total);
        }
        if request.offset() < found.total {
            let workspace_name: String = row.try_get_by("workspace_name")?;
            let rows = self.page_rows(workspace, &filters, request).await?;
            let read = rows.iter().map(|row| read_summary(row, workspace, &workspace_name));
            found.data = read.collect::<Result<_, _>>()?;
        }
        Ok((standing, found))
    }

    async fn counted_standing(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        filters: &[SimpleExpr],
    ) -> Result<Option<QueryResult>> {
        let (account, workspace) = (self.id(account.0), self.id(workspace.0));
        if filters.is_empty() {
            return self.hot_row(self.hot(&self.hot.apps.counted, [workspace.into(), account.into()])).await;
        }
        let mut select = standing(Expr::val(workspace), Some(filters));
        self.row(select.and_where(is_me(Expr::val(account)))).await
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
            return self.hot_rows(self.hot(&self.hot.apps.page, values)).await;
        }
        let mut select = page(self.backend, Expr::val(workspace), filters);
        self.rows(select.limit(u64::from(request.limit)).offset(request.offset())).await
    }

    /// What a filter adds to the conditions of every list.
    fn filters(&self, workspace: WorkspaceId, filter: &AppFilter) -> Vec<SimpleExpr> {
        let mut filters = Vec::new();
        if let Some(mode) = filter.mode.and_then(ModeFilter::only) {
            filters.push(Expr::col((app::Entity, app::Column::Mode)).eq(mode.as_str()));
        }
        match &filter.name {
            Some(NameFilter::Contains(text)) => filters.push(name_contains(self.backend, text)),
            Some(NameFilter::Id(id)) => filters.push(Expr::col((app::Entity, app::Column::Id)).eq(self.id(id.0))),
            None => {}
        }
        if let Some(name) = &filter.tag {
            let is_tag = self.is_same(Expr::col((tag::Entity, tag::Column::Name)), Expr::val(name.as_str()));
            filters.push(has_tag(Expr::val(self.id(workspace.0)), is_tag));
        }
        filters
    }
}

fn read_summary(row: &QueryResult, workspace_id: WorkspaceId, workspace_name: &str) -> Result<AppSummary, DbErr> {
    let mode: String = row.try_get_by("mode")?;
    Ok(AppSummary {
        id: AppId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
        mode: AppMode::parse(&mode)
            .ok_or_else(|| DbErr::Type("a listed app has a mode that is never listed".to_owned()))?,
        tags: read_tags(row)?,
        updated_at: row.try_get_by::<NaiveDateTime, _>("updated_at")?.and_utc(),
        created_by_name: row.try_get_by("author_name")?,
        workspace_id,
        workspace_name: workspace_name.to_owned(),
    })
}
