//! One app by its id, and apps by their exact name.

use chrono::NaiveDateTime;
use sea_orm::{QueryResult, sea_query::Expr};

use super::{
    definition::{AdmitText, DetailKind, json, read_definition},
    membership::read_membership_status,
    queries::apps_with_name,
    tags::read_tags,
};
use crate::{
    domain::{
        app::{
            AppMode, Definition,
            form::is_truthy,
            stored_app::{AppDetail, StoredApp},
        },
        error::Result,
        id::{AccountId, AppId, WorkspaceId},
        stored::StoredValue,
        workspace::MembershipStatus,
    },
    store::sql::{columns::read_word, db_uuid::DbUuid, entity::app, sql_store::SqlStore},
};

impl SqlStore {
    /// An app by its id, and the account's membership in `workspace`, or in the app's own workspace without one. One
    /// statement.
    ///
    /// The app is returned whatever the membership is, and also when it is in another workspace: the caller checks both
    /// in the contract's order. `admit` decides whether the definition is parsed.
    pub async fn find_app(
        &self,
        account: AccountId,
        id: AppId,
        workspace: Option<WorkspaceId>,
        detail: AppDetail,
        admit: &mut AdmitText<'_>,
    ) -> Result<(MembershipStatus, Option<StoredApp>)> {
        let kind = DetailKind::of(detail);
        let version = if let AppDetail::Version(id) = detail { Some(id.0) } else { None };
        let statement = &self.rendered.apps.find[usize::from(workspace.is_some())][kind as usize];
        let values = [Some(id.0), workspace.map(|id| id.0), version, Some(account.0)];
        let values: Vec<_> = values.into_iter().flatten().map(|id| self.id(id).into()).collect();
        let Some(row) = self.query_one_raw(self.statement(statement, values)).await? else {
            return Ok((MembershipStatus::Inactive, None));
        };
        Ok((read_membership_status(&row)?, self.read_with_secrets(&row, kind, admit)?))
    }

    /// An app in any state by its id, for an external identity. One statement.
    pub async fn find_app_for_external(
        &self,
        id: AppId,
        detail: AppDetail,
        admit: &mut AdmitText<'_>,
    ) -> Result<Option<StoredApp>> {
        let kind = DetailKind::of(detail);
        let version = if let AppDetail::Version(id) = detail { Some(id.0) } else { None };
        let statement = &self.rendered.apps.find_for_external[kind as usize];
        let values: Vec<_> = [version, Some(id.0)].into_iter().flatten().map(|id| self.id(id).into()).collect();
        match self.query_one_raw(self.statement(statement, values)).await? {
            Some(row) => self.read_with_secrets(&row, kind, admit),
            None => Ok(None),
        }
    }

    /// Reads an app. The secret variables of a graph are opened for a run.
    fn read_with_secrets(
        &self,
        row: &QueryResult,
        kind: DetailKind,
        admit: &mut AdmitText<'_>,
    ) -> Result<Option<StoredApp>> {
        let mut app = read_app(row, kind, admit)?;
        if matches!(kind, DetailKind::Run | DetailKind::Version)
            && let Some(Definition::Workflow(workflow)) = app.as_mut().and_then(|app| app.definition.as_mut())
        {
            self.open_secrets(&mut workflow.environment_variables)?;
        }
        Ok(app)
    }

    /// Id and mode of the apps with exactly this name that may be called in a workspace, newest first, 20 at most.
    /// Empty unless the account is a member. One statement.
    pub async fn find_apps_named(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<(MembershipStatus, Vec<(AppId, StoredValue<AppMode>)>)> {
        // No database stores NUL in text, and some reject it in a parameter.
        let is_name = if name.contains('\0') {
            Expr::cust("1 = 0")
        } else {
            self.is_same(Expr::col((app::Entity, app::Column::Name)), Expr::val(name))
        };
        let select = apps_with_name(Expr::val(self.id(workspace.0)), is_name, Expr::val(self.id(account.0)));
        let rows = self.query_all(&select).await?;
        let Some(first) = rows.first() else { return Ok((MembershipStatus::Inactive, Vec::new())) };
        let mut apps = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(id) = row.try_get_by::<Option<DbUuid>, _>("app_id")? {
                apps.push((AppId(id.uuid()), read_word(row, "mode")?));
            }
        }
        Ok((read_membership_status(first)?, apps))
    }
}

fn read_app(row: &QueryResult, kind: DetailKind, admit: &mut AdmitText<'_>) -> Result<Option<StoredApp>> {
    let Some(id) = row.try_get_by::<Option<DbUuid>, _>("app_id")? else { return Ok(None) };
    let mode: StoredValue<AppMode> = read_word(row, "mode")?;
    let max_active_requests: Option<i32> = row.try_get_by("max_active_requests")?;
    Ok(Some(StoredApp {
        id: AppId(id.uuid()),
        workspace_id: WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid()),
        name: row.try_get_by("name")?,
        description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
        author_name: if kind.has_author_and_tags() { row.try_get_by("author_name")? } else { None },
        tags: if kind.has_author_and_tags() { read_tags(row)? } else { Vec::new() },
        updated_at: row.try_get_by::<NaiveDateTime, _>("updated_at")?.and_utc(),
        status: read_word(row, "status")?,
        enable_api: row.try_get_by("enable_api")?,
        max_active_requests: max_active_requests.and_then(|limit| u32::try_from(limit).ok()),
        access_mode: row.try_get_by::<Option<String>, _>("access_mode")?.map(StoredValue::from),
        agent_enabled: json(row, "agent_mode")?.get("enabled").is_some_and(is_truthy),
        definition: match mode.known() {
            Some(mode) if kind != DetailKind::Outline => read_definition(row, mode, admit)?,
            _ => None,
        },
        mode,
    }))
}
