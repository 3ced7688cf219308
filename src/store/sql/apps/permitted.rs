//! Apps that external identities may use.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use sea_orm::{
    DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use super::{
    name_filter::name_contains,
    queries::{ids_and_total, listed_apps},
};
use crate::{
    domain::{
        access_mode::{Access, AccessMode},
        app::{
            AppMode,
            summary::{AppSummary, ModeFilter, NameFilter},
        },
        error::Result,
        id::{AppId, WorkspaceId},
        stored::StoredWord as _,
        subject::SubjectType,
    },
    ports::enterprise::{ExternalAppPage, ExternalAppQuery},
    store::sql::{
        columns::read_word,
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
        let id = || Expr::col((app::Entity, app::Column::Id));
        let mut filters = vec![id().in_subquery(permitted)];
        if let Some(mode) = query.filter.mode.and_then(ModeFilter::only) {
            filters.push(Expr::col((app::Entity, app::Column::Mode)).eq(mode.as_str()));
        }
        match &query.filter.name {
            Some(NameFilter::Contains(text)) => filters.push(name_contains(self.backend, text)),
            Some(NameFilter::Id(app)) => filters.push(id().eq(self.id(app.0))),
            None => {}
        }
        filters
    }
}

fn read_total(row: &QueryResult) -> Result<u64, DbErr> {
    row.try_get_by::<i64, _>("total").map(|total| u64::try_from(total).unwrap_or(0))
}

fn read_summary(row: &QueryResult) -> Result<AppSummary, DbErr> {
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
        workspace_id: WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid()),
        workspace_name: row.try_get_by("workspace_name")?,
    })
}
