//! Apps as the members of a workspace manage them: listed, created and enabled.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::{Expr, ExprTrait as _, JoinType, Query, SelectStatement, SimpleExpr},
};
use uuid::Uuid;

use super::{
    app_rows::{DefinitionIds, ImportContext, insert_app},
    columns::read_word,
    db_uuid::DbUuid,
    entity::{account, app},
    error::SqlError,
    not_found::app_not_found,
    sql_store::SqlStore,
    tags::read_total,
    timestamp::naive_utc,
};
use crate::domain::{
    app::{
        console_app::{ConsoleApp, MAX_APPS},
        file::{AppBody, AppFile},
        summary::AppFilter,
    },
    error::{Code, Error, Result},
    id::{AccountId, AppId, WorkflowId, WorkspaceId},
    member::{Actor, RequiredRole},
    page::{Page, PageRequest},
};

impl SqlStore {
    /// A page of a workspace's apps, newest first.
    pub async fn list_console_apps(
        &self,
        workspace: WorkspaceId,
        filter: &AppFilter,
        request: PageRequest,
    ) -> Result<Page<ConsoleApp>> {
        let mut page = Page { request, total: 0, data: Vec::new() };
        if filter.matches_nothing() {
            return Ok(page);
        }
        let filters = self.filters(workspace, filter);
        let mut count = self.apps_of(workspace, &filters);
        count.expr_as(Expr::col((app::Entity, app::Column::Id)).count(), "total");
        if let Some(row) = self.query_one(&count).await? {
            page.total = u64::try_from(row.try_get_by::<i64, _>("total")?).unwrap_or(0);
        }
        if request.offset() < page.total {
            let mut select = self.apps_of(workspace, &filters);
            select_console_app(&mut select)
                .order_by((app::Entity, app::Column::CreatedAt), Order::Desc)
                .order_by((app::Entity, app::Column::Id), Order::Asc)
                .limit(u64::from(request.limit))
                .offset(request.offset());
            page.data = self.read_console_apps(workspace, &select).await?;
        }
        Ok(page)
    }

    /// An app of a workspace. Fails with `not_found`.
    pub async fn get_console_app(&self, workspace: WorkspaceId, id: AppId) -> Result<ConsoleApp> {
        let is_app = Expr::col((app::Entity, app::Column::Id)).eq(self.id(id.0));
        let mut select = self.apps_of(workspace, &[is_app]);
        select_console_app(&mut select);
        self.read_console_apps(workspace, &select).await?.pop().ok_or_else(app_not_found)
    }

    fn apps_of(&self, workspace: WorkspaceId, filters: &[SimpleExpr]) -> SelectStatement {
        let mut select = Query::select()
            .from(app::Entity)
            .and_where(Expr::col((app::Entity, app::Column::TenantId)).eq(self.id(workspace.0)))
            .and_where(Expr::col((app::Entity, app::Column::IsUniversal)).eq(false))
            .take();
        for filter in filters {
            select.and_where(filter.clone());
        }
        select
    }

    async fn read_console_apps(&self, workspace: WorkspaceId, select: &SelectStatement) -> Result<Vec<ConsoleApp>> {
        let rows = self.query_all(select).await?;
        let mut apps: Vec<_> = rows.iter().map(read_console_app).collect::<Result<_, DbErr>>()?;
        let ids = apps.iter().map(|app: &ConsoleApp| self.id(app.id.0)).collect();
        let mut tags = self.tags_of_apps(workspace, ids).await?;
        for app in &mut apps {
            app.tags = tags.remove(&app.id).unwrap_or_default();
        }
        Ok(apps)
    }

    /// Creates an app. That of a graph has no version before a draft is published. Fails with `forbidden` for a member
    /// who is no editor, and with `invalid_request` for one app too many.
    pub async fn create_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<AppId> {
        let create = async {
            let transaction = self.begin().await?;
            let tenant = self.id(workspace.0);
            self.lock_workspace(&transaction, tenant).await?;
            self.lock_actor(&transaction, workspace, Actor::Member(by), RequiredRole::Editor).await?;
            self.require_place_for_app(&transaction, tenant).await?;
            let id = self.id(Uuid::new_v4());
            let import = ImportContext { transaction: &transaction, tenant, author: self.id(by.0), now };
            let config = match &file.body {
                AppBody::Model(members) => Some(self.insert_config(&import, id, members).await?),
                AppBody::Graph(_) => None,
            };
            insert_app(&import, id, file, &DefinitionIds { config, graph: None }).await?;
            transaction.commit().await?;
            Ok::<_, SqlError>(AppId(id.uuid()))
        };
        self.call("TRANSACTION", create).await
    }

    /// Fails with `invalid_request` when the workspace, which is locked, has the most apps that members may create.
    pub(super) async fn require_place_for_app(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
    ) -> Result<(), SqlError> {
        let count = Query::select()
            .expr_as(Expr::col(app::Column::Id).count(), "total")
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(tenant))
            .take();
        if read_total(transaction, &count).await? < MAX_APPS {
            return Ok(());
        }
        Err(Error::new(Code::InvalidRequest, format!("A workspace has at most {MAX_APPS} apps."))
            .with_hint("Ask the operator to delete apps that are not used.")
            .into())
    }

    /// Makes an app callable, or stops that. Fails with `forbidden` for a member who is no administrator, and with
    /// `not_found`.
    pub async fn set_app_api(
        &self,
        workspace: WorkspaceId,
        id: AppId,
        enabled: bool,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let change = async {
            let transaction = self.begin().await?;
            self.lock_actor(&transaction, workspace, Actor::Member(by), RequiredRole::Admin).await?;
            let changed = app::Entity::update_many()
                .col_expr(app::Column::EnableApi, Expr::value(enabled))
                .col_expr(app::Column::UpdatedBy, Expr::value(Some(self.id(by.0))))
                .col_expr(app::Column::UpdatedAt, Expr::value(naive_utc(now)))
                .filter(app::Column::Id.eq(self.id(id.0)))
                .filter(app::Column::TenantId.eq(self.id(workspace.0)))
                .exec(&transaction)
                .await?;
            if changed.rows_affected == 0 {
                return Err(app_not_found().into());
            }
            Ok::<_, SqlError>(transaction.commit().await?)
        };
        self.call("TRANSACTION", change).await
    }
}

/// Selects the columns that [`read_console_app`] reads.
fn select_console_app(select: &mut SelectStatement) -> &mut SelectStatement {
    for column in [
        app::Column::Id,
        app::Column::Name,
        app::Column::Description,
        app::Column::Mode,
        app::Column::IconType,
        app::Column::Icon,
        app::Column::IconBackground,
        app::Column::UseIconAsAnswerIcon,
        app::Column::EnableSite,
        app::Column::EnableApi,
        app::Column::WorkflowId,
        app::Column::CreatedBy,
        app::Column::CreatedAt,
        app::Column::UpdatedBy,
        app::Column::UpdatedAt,
    ] {
        select.column((app::Entity, column));
    }
    let is_author = Expr::col((account::Entity, account::Column::Id)).equals((app::Entity, app::Column::CreatedBy));
    select.expr_as(Expr::col((account::Entity, account::Column::Name)), "author_name").join(
        JoinType::LeftJoin,
        account::Entity,
        is_author,
    )
}

/// An app without its tags.
fn read_console_app(row: &QueryResult) -> Result<ConsoleApp, DbErr> {
    let id = |column: &str| row.try_get_by::<Option<DbUuid>, _>(column).map(|id| id.map(DbUuid::uuid));
    let time = |column: &str| row.try_get_by::<NaiveDateTime, _>(column).map(|at| at.and_utc());
    Ok(ConsoleApp {
        id: AppId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
        mode: read_word(row, "mode")?,
        icon_type: row.try_get_by("icon_type")?,
        icon: row.try_get_by("icon")?,
        icon_background: row.try_get_by("icon_background")?,
        use_icon_as_answer_icon: row.try_get_by("use_icon_as_answer_icon")?,
        enable_site: row.try_get_by("enable_site")?,
        enable_api: row.try_get_by("enable_api")?,
        workflow_id: id("workflow_id")?.map(WorkflowId),
        created_by: id("created_by")?.map(AccountId),
        author_name: row.try_get_by("author_name")?,
        created_at: time("created_at")?,
        updated_by: id("updated_by")?.map(AccountId),
        updated_at: time("updated_at")?,
        tags: Vec::new(),
    })
}
