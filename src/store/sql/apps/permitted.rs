//! Apps that external identities may use.

use std::collections::HashMap;

use sea_orm::{
    DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use super::{
    list::read_untagged_summary,
    queries::{ids_and_total, listed_apps},
};
use crate::{
    domain::{
        access_mode::{Access, AccessMode},
        app::summary::AppSummary,
        error::Result,
        id::{AppId, WorkspaceId},
        stored::StoredWord as _,
        subject::SubjectType,
    },
    ports::enterprise::{ExternalAppPage, ExternalAppQuery},
    store::sql::{
        db_uuid::DbUuid,
        entity::{app, app_access as access},
        sql_store::SqlStore,
    },
};

impl SqlStore {
    /// A page of the apps that the table of access modes opens to external identities, newest first. One statement, and
    /// a second one for a page after the last.
    pub async fn list_external_apps(&self, query: &ExternalAppQuery<'_>) -> Result<ExternalAppPage> {
        let filters = self.external_filters(query);
        let (limit, offset) = (u64::from(query.page.limit), query.page.offset());
        let rows = self.query_all(ids_and_total(&filters).limit(limit).offset(offset)).await?;
        let total = match rows.first() {
            Some(row) => read_total(row)?,
            None if offset > 0 => {
                let row = self.query_one(ids_and_total(&filters).limit(1)).await?;
                row.as_ref().map_or(Ok(0), read_total)?
            }
            None => 0,
        };
        let apps = rows.iter().map(|row| row.try_get_by::<DbUuid, _>("id").map(|id| AppId(id.uuid())));
        Ok(ExternalAppPage { total, has_more: offset + limit < total, apps: apps.collect::<Result<_, _>>()? })
    }

    /// Those of these apps that are listed, in the given order. Tags and authors are not read. One statement.
    pub async fn list_apps_by_id(&self, apps: &[AppId]) -> Result<Vec<AppSummary>> {
        if apps.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.query_all(&listed_apps(apps.iter().map(|app| self.id(app.0)).collect())).await?;
        let mut found = rows
            .iter()
            .map(|row| read_summary(row).map(|app| (app.id, app)))
            .collect::<Result<HashMap<_, _>, DbErr>>()?;
        Ok(apps.iter().filter_map(|app| found.remove(app)).collect())
    }

    fn external_filters(&self, query: &ExternalAppQuery<'_>) -> Vec<SimpleExpr> {
        let is_open = |mode: &AccessMode| mode.access_of(SubjectType::ExternalSso) == Access::Allowed;
        let open = AccessMode::ALL.iter().copied().filter(is_open).map(AccessMode::as_str);
        let permitted = Query::select()
            .column(access::Column::AppId)
            .from(access::Entity)
            .and_where(Expr::col(access::Column::AccessMode).is_in(open))
            .take();
        let is_permitted = Expr::col((app::Entity, app::Column::Id)).in_subquery(permitted);
        let mut filters = self.filters_without_tag(query.filter);
        filters.push(is_permitted);
        filters
    }
}

fn read_total(row: &QueryResult) -> Result<u64, DbErr> {
    row.try_get_by::<i64, _>("total").map(|total| u64::try_from(total).unwrap_or(0))
}

fn read_summary(row: &QueryResult) -> Result<AppSummary, DbErr> {
    let workspace = WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid());
    read_untagged_summary(row, workspace, &row.try_get_by::<String, _>("workspace_name")?)
}
