//! Import of apps by an operator of a standalone server. An imported app is published at once.

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, Order, sea_query::Query};
use uuid::Uuid;

use super::{
    app_rows::{DefinitionIds, ImportContext, insert_app, overwrite_app},
    columns::read_word,
    db_uuid::DbUuid,
    drafts::delete_draft,
    entity::{app, tenant, tenant_account_join as join},
    error::SqlError,
    not_found::{app_not_found, workspace_not_found},
    sql_store::SqlStore,
};
use crate::domain::{
    app::{
        AppMode,
        file::{AppBody, AppFile, ImportTarget, ImportedApp},
    },
    error::{Code, Error, Result},
    id::{AppId, WorkspaceId},
    member::{Actor, RequiredRole},
    stored::StoredValue,
    workspace::WorkspaceRole,
};

impl SqlStore {
    /// Writes an app into a workspace for an operator. Fails as [`Self::import_app_by`] does.
    pub async fn import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: ImportTarget,
        now: DateTime<Utc>,
    ) -> Result<ImportedApp> {
        self.import_app_by(workspace, file, target, Actor::Operator, now).await
    }

    /// Writes an app into a workspace and publishes it. One transaction, and one import of a workspace at a time. Runs
    /// in progress keep their version. The author is the actor, or the owner for an operator.
    ///
    /// Fails with `forbidden` for a member who is no editor at this time, with `not_found` when the workspace or the
    /// app does not exist, with `invalid_request` for one app of a member too many, and with `invalid_param` when
    /// several apps have the name, or when the existing app has another mode.
    pub async fn import_app_by(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: ImportTarget,
        by: Actor,
        now: DateTime<Utc>,
    ) -> Result<ImportedApp> {
        self.call("TRANSACTION", self.try_import_app(workspace, file, target, by, now)).await
    }

    async fn try_import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: ImportTarget,
        by: Actor,
        now: DateTime<Utc>,
    ) -> Result<ImportedApp, SqlError> {
        let transaction = self.begin().await?;
        let tenant = self.id(workspace.0);
        let owner = self.lock_workspace(&transaction, tenant).await?;
        self.lock_actor(&transaction, workspace, by, RequiredRole::Editor).await?;
        let author = by.account().map_or(owner, |account| self.id(account.0));
        let existing = self.find_import_target(&transaction, tenant, file, target).await?;
        if existing.is_none() && by.account().is_some() {
            self.require_place_for_app(&transaction, tenant).await?;
        }
        let id = existing.unwrap_or_else(|| self.id(Uuid::new_v4()));
        let import = ImportContext { transaction: &transaction, tenant, author, now };
        let definition = match &file.body {
            AppBody::Model(members) => {
                DefinitionIds { config: Some(self.insert_config(&import, id, members).await?), graph: None }
            }
            AppBody::Graph(graph) => {
                DefinitionIds { config: None, graph: Some(self.insert_graph(&import, id, file.mode, graph).await?) }
            }
        };
        if existing.is_some() {
            delete_draft(&transaction, id).await?;
            overwrite_app(&import, id, file, &definition).await?;
        } else {
            insert_app(&import, id, file, &definition).await?;
        }
        transaction.commit().await?;
        Ok(ImportedApp { id: AppId(id.uuid()), overwritten: existing.is_some() })
    }

    /// Locks the workspace's row, so that two imports of one name do not create two apps, and returns the owner's id.
    pub(super) async fn lock_workspace(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
    ) -> Result<DbUuid, SqlError> {
        let lock = Query::select()
            .column(tenant::Column::Id)
            .from(tenant::Entity)
            .and_where(tenant::Column::Id.eq(tenant))
            .lock(self.row_lock())
            .take();
        let owner = Query::select()
            .column(join::Column::AccountId)
            .from(join::Entity)
            .and_where(join::Column::TenantId.eq(tenant))
            .and_where(join::Column::Role.eq(WorkspaceRole::Owner.as_str()))
            .order_by(join::Column::CreatedAt, Order::Asc)
            .limit(1)
            .take();
        if transaction.query_one(&lock).await?.is_none() {
            return Err(workspace_not_found().into());
        }
        match transaction.query_one(&owner).await? {
            Some(row) => Ok(row.try_get_by("account_id")?),
            None => Err(Error::internal("the workspace has no owner").into()),
        }
    }

    /// The id of the app to overwrite, if any.
    async fn find_import_target(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
        file: &AppFile,
        target: ImportTarget,
    ) -> Result<Option<DbUuid>, SqlError> {
        let is_target = match target {
            ImportTarget::New => return Ok(None),
            ImportTarget::Named => self.is_exactly(app::Column::Name, &file.name),
            ImportTarget::App(id) => app::Column::Id.eq(self.id(id.0)),
        };
        let select = Query::select()
            .columns([app::Column::Id, app::Column::Mode])
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(tenant))
            .and_where(is_target)
            .limit(2)
            .take();
        let found = transaction.query_all(&select).await?;
        let row = match (found.as_slice(), target) {
            ([], ImportTarget::App(_)) => return Err(app_not_found().into()),
            ([], _) => return Ok(None),
            ([row], _) => row,
            _ => {
                return Err(Error::new(Code::AmbiguousAppName, "Several apps in this workspace have this name.")
                    .with_hint("Choose one with --app ID, or create another with --new.")
                    .into());
            }
        };
        let mode: StoredValue<AppMode> = read_word(row, "mode")?;
        if !mode.is(file.mode) {
            let (old, new) = (mode, file.mode.as_str());
            return Err(Error::new(
                Code::InvalidParam,
                format!("The existing app's mode is {old}; the file's is {new}."),
            )
            .with_hint("Rename one of them, or create another with --new.")
            .into());
        }
        Ok(Some(row.try_get_by("id")?))
    }
}
