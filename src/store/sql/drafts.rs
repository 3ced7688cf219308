//! Drafts of graphs. An app has one draft at most, and only while something of it is not published: publishing makes
//! the draft's row the published version, and an import that overwrites the app deletes it.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryResult,
    sea_query::{Expr, ExprTrait as _, Query, SimpleExpr},
};

use super::{
    app_rows::{ImportContext, version_name},
    columns::read_word,
    db_uuid::DbUuid,
    entity::{app, workflow},
    error::SqlError,
    not_found::app_not_found,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::{
    app::{
        AppMode,
        draft::{PublishedVersion, VersionMark, draft_has_changed, stored_draft_hash},
        file::GraphBody,
    },
    error::{Error, Result},
    id::{AccountId, AppId, WorkflowId, WorkspaceId},
    member::{Actor, RequiredRole},
};

/// `workflows.version` of a draft.
pub(super) const DRAFT: &str = "draft";

impl SqlStore {
    /// Saves the draft of an app. With a hash, only if the stored draft has it. Fails with `not_found` for an app
    /// without a graph, with `forbidden` for a member who is no editor, and with `conflict`.
    pub async fn save_draft(
        &self,
        workspace: WorkspaceId,
        id: AppId,
        body: &GraphBody,
        seen: Option<&str>,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let save = async {
            let (transaction, row) = self.lock_graph_app(workspace, id, by).await?;
            let mode: AppMode = graph_mode(&row)?;
            let (tenant, app) = (self.id(workspace.0), self.id(id.0));
            if let Some(seen) = seen
                && let Some(stored) = self.find_draft_hash(&transaction, app).await?
                && stored != seen
            {
                return Err(draft_has_changed().into());
            }
            delete_draft(&transaction, app).await?;
            let import = ImportContext { transaction: &transaction, tenant, author: self.id(by.0), now };
            self.insert_version(&import, app, mode, body, DRAFT.to_owned()).await?;
            Ok::<_, SqlError>(transaction.commit().await?)
        };
        self.call("TRANSACTION", save).await
    }

    async fn find_draft_hash(
        &self,
        transaction: &DatabaseTransaction,
        app: DbUuid,
    ) -> Result<Option<String>, SqlError> {
        let select = Query::select()
            .columns([workflow::Column::Graph, workflow::Column::Features])
            .from(workflow::Entity)
            .and_where(is_draft_of(app))
            .limit(1)
            .take();
        let Some(row) = transaction.query_one(&select).await? else { return Ok(None) };
        let text = |column: &str| row.try_get_by::<Option<String>, _>(column).map(Option::unwrap_or_default);
        Ok(Some(stored_draft_hash(&text("graph")?, &text("features")?)))
    }

    /// Makes the draft of an app its published version. Without a draft, the published version gets the mark. Fails
    /// with
    /// `not_found` when there is neither, and for an app without a graph, and with `forbidden` for a member who is no
    /// editor.
    pub async fn publish_draft(
        &self,
        workspace: WorkspaceId,
        id: AppId,
        mark: VersionMark<'_>,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<PublishedVersion> {
        let publish = async {
            let (transaction, row) = self.lock_graph_app(workspace, id, by).await?;
            graph_mode(&row)?;
            let (app, at) = (self.id(id.0), naive_utc(now));
            let published = row.try_get_by::<Option<DbUuid>, _>("workflow_id")?;
            let of_draft = is_draft_of(app);
            let version = match (find_version(&transaction, of_draft).await?, published) {
                (Some((draft, _)), _) => {
                    workflow::Entity::update_many()
                        .col_expr(workflow::Column::Version, Expr::value(version_name(now)))
                        .col_expr(workflow::Column::CreatedBy, Expr::value(self.id(by.0)))
                        .col_expr(workflow::Column::CreatedAt, Expr::value(at))
                        .filter(workflow::Column::Id.eq(draft))
                        .exec(&transaction)
                        .await?;
                    app::Entity::update_many()
                        .col_expr(app::Column::WorkflowId, Expr::value(Some(draft)))
                        .col_expr(app::Column::UpdatedBy, Expr::value(Some(self.id(by.0))))
                        .col_expr(app::Column::UpdatedAt, Expr::value(at))
                        .filter(app::Column::Id.eq(app))
                        .exec(&transaction)
                        .await?;
                    (draft, now)
                }
                (None, Some(published)) => {
                    let is_version = workflow::Column::Id.eq(published);
                    find_version(&transaction, is_version).await?.ok_or_else(nothing_to_publish)?
                }
                (None, None) => return Err(nothing_to_publish().into()),
            };
            workflow::Entity::update_many()
                .col_expr(workflow::Column::MarkedName, Expr::value(mark.name))
                .col_expr(workflow::Column::MarkedComment, Expr::value(mark.comment))
                .col_expr(workflow::Column::UpdatedBy, Expr::value(Some(self.id(by.0))))
                .col_expr(workflow::Column::UpdatedAt, Expr::value(at))
                .filter(workflow::Column::Id.eq(version.0))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            Ok::<_, SqlError>(PublishedVersion { id: WorkflowId(version.0.uuid()), created_at: version.1 })
        };
        self.call("TRANSACTION", publish).await
    }

    /// Locks the workspace, so that one change of its apps runs at a time, and the membership of an editor. Returns the
    /// row of the app.
    async fn lock_graph_app(
        &self,
        workspace: WorkspaceId,
        id: AppId,
        by: AccountId,
    ) -> Result<(DatabaseTransaction, QueryResult), SqlError> {
        let transaction = self.begin().await?;
        let tenant = self.id(workspace.0);
        self.lock_workspace(&transaction, tenant).await?;
        self.lock_actor(&transaction, workspace, Actor::Member(by), RequiredRole::Editor).await?;
        let select = Query::select()
            .columns([app::Column::Mode, app::Column::WorkflowId])
            .from(app::Entity)
            .and_where(app::Column::Id.eq(self.id(id.0)))
            .and_where(app::Column::TenantId.eq(tenant))
            .take();
        let row = transaction.query_one(&select).await?.ok_or_else(app_not_found)?;
        Ok((transaction, row))
    }
}

/// Deletes the draft of an app, if there is one.
pub(super) async fn delete_draft(transaction: &DatabaseTransaction, app: DbUuid) -> Result<(), SqlError> {
    workflow::Entity::delete_many().filter(is_draft_of(app)).exec(transaction).await?;
    Ok(())
}

fn is_draft_of(app: DbUuid) -> SimpleExpr {
    workflow::Column::AppId.eq(app).and(workflow::Column::Version.eq(DRAFT))
}

/// The id of a version, and when it was made.
async fn find_version(
    transaction: &DatabaseTransaction,
    condition: SimpleExpr,
) -> Result<Option<(DbUuid, DateTime<Utc>)>, SqlError> {
    let select = Query::select()
        .columns([workflow::Column::Id, workflow::Column::CreatedAt])
        .from(workflow::Entity)
        .and_where(condition)
        .limit(1)
        .take();
    let Some(row) = transaction.query_one(&select).await? else { return Ok(None) };
    Ok(Some((row.try_get_by("id")?, row.try_get_by::<NaiveDateTime, _>("created_at")?.and_utc())))
}

fn graph_mode(row: &QueryResult) -> Result<AppMode, SqlError> {
    let mode = read_word::<AppMode>(row, "mode")?.known().filter(|mode| mode.has_graph());
    Ok(mode
        .ok_or_else(|| Error::not_found("Apps of this mode have no draft.").with_hint("They are always published."))?)
}

fn nothing_to_publish() -> Error {
    Error::not_found("This app has no draft.").with_hint("Save one with POST /console/api/apps/{id}/workflows/draft.")
}
