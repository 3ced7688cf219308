//! Apps as an operator brings them in on a standalone server: they are published at once.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter,
    sea_query::{Expr, Query},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    DbUuid, SqlStore,
    app_export::gone,
    entity::{app, app_model_config as config, tenant, tenant_account_join as join, workflow},
    error::SqlError,
    limited, naive,
};
use crate::domain::{
    Code, Error, Result,
    app::{
        AppMode,
        file::{AppBody, AppFile, GraphBody, ImportTarget, ImportedApp},
    },
    id::{AppId, WorkspaceId},
};

/// An import under way: what all of its rows have in common.
struct Import<'a> {
    transaction: &'a DatabaseTransaction,
    tenant: DbUuid,
    owner: DbUuid,
    now: DateTime<Utc>,
}

/// What an app does, as its row names it: one of the two.
struct Published {
    config: Option<DbUuid>,
    graph: Option<DbUuid>,
}

impl SqlStore {
    /// Puts an app into a workspace and publishes it, whole or not at all: one transaction, one import of a workspace at a
    /// time. Runs under way keep the version that they began with.
    ///
    /// Fails with `not_found` when the workspace or the app is not there, and with `invalid_param` when it cannot be told
    /// which app is meant, or when that one has another mode.
    pub async fn import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: ImportTarget,
        now: DateTime<Utc>,
    ) -> Result<ImportedApp> {
        limited(self.try_import_app(workspace, file, target, now)).await
    }

    async fn try_import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: ImportTarget,
        now: DateTime<Utc>,
    ) -> Result<ImportedApp, SqlError> {
        let transaction = self.begin().await?;
        let tenant = self.id(workspace.0);
        let owner = self.lock_workspace(&transaction, tenant).await?;
        let existing = self.app_meant(&transaction, tenant, file, target).await?;
        let id = existing.unwrap_or_else(|| self.id(Uuid::new_v4()));
        let import = Import { transaction: &transaction, tenant, owner, now };
        let published = match &file.body {
            AppBody::Model(members) => {
                Published { config: Some(self.add_config(&import, id, members).await?), graph: None }
            }
            AppBody::Graph(graph) => {
                Published { config: None, graph: Some(self.add_graph(&import, id, file.mode, graph).await?) }
            }
        };
        if existing.is_some() {
            overwrite_app(&import, id, file, &published).await?;
        } else {
            add_app(&import, id, file, &published).await?;
        }
        transaction.commit().await?;
        Ok(ImportedApp { id: AppId(id.uuid()), overwritten: existing.is_some() })
    }

    /// Locks the workspace's row, so that two imports of one name do not make two apps, and tells its owner.
    async fn lock_workspace(&self, transaction: &DatabaseTransaction, tenant: DbUuid) -> Result<DbUuid, SqlError> {
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
            .and_where(join::Column::Role.eq("owner"))
            .order_by(join::Column::CreatedAt, Order::Asc)
            .limit(1)
            .take();
        if transaction.query_one(&lock).await?.is_none() {
            return Err(Error::not_found("There is no such workspace.").into());
        }
        match transaction.query_one(&owner).await? {
            Some(row) => Ok(row.try_get_by("account_id")?),
            None => Err(Error::internal("the workspace has no owner").into()),
        }
    }

    /// The app that is overwritten, if any.
    async fn app_meant(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
        file: &AppFile,
        target: ImportTarget,
    ) -> Result<Option<DbUuid>, SqlError> {
        let is_it = match target {
            ImportTarget::New => return Ok(None),
            ImportTarget::Named => self.is_exactly(app::Column::Name, &file.name),
            ImportTarget::App(id) => app::Column::Id.eq(self.id(id.0)),
        };
        let select = Query::select()
            .columns([app::Column::Id, app::Column::Mode])
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(tenant))
            .and_where(is_it)
            .limit(2)
            .take();
        let found = transaction.query_all(&select).await?;
        let row = match (found.as_slice(), target) {
            ([], ImportTarget::App(_)) => return Err(gone().into()),
            ([], _) => return Ok(None),
            ([row], _) => row,
            _ => {
                return Err(Error::new(Code::InvalidParam, "Several apps in this workspace have this name.")
                    .with_hint("Choose one with --app ID, or create another with --new.")
                    .into());
            }
        };
        let mode: String = row.try_get_by("mode")?;
        if mode != file.mode.as_str() {
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

    async fn add_config(
        &self,
        import: &Import<'_>,
        app: DbUuid,
        members: &Map<String, Value>,
    ) -> Result<DbUuid, DbErr> {
        let text = |name: &str| {
            let value = members.get(name).filter(|value| !value.is_null())?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let id = self.id(Uuid::new_v4());
        let row = config::ActiveModel {
            id: Set(id),
            app_id: Set(app),
            opening_statement: Set(text("opening_statement")),
            suggested_questions: Set(text("suggested_questions")),
            suggested_questions_after_answer: Set(text("suggested_questions_after_answer")),
            speech_to_text: Set(text("speech_to_text")),
            text_to_speech: Set(text("text_to_speech")),
            retriever_resource: Set(text("retriever_resource")),
            more_like_this: Set(text("more_like_this")),
            sensitive_word_avoidance: Set(text("sensitive_word_avoidance")),
            external_data_tools: Set(text("external_data_tools")),
            model: Set(text("model")),
            user_input_form: Set(text("user_input_form")),
            dataset_query_variable: Set(text("dataset_query_variable")),
            pre_prompt: Set(text("pre_prompt")),
            agent_mode: Set(text("agent_mode")),
            prompt_type: Set(text("prompt_type").unwrap_or_else(|| "simple".to_owned())),
            chat_prompt_config: Set(text("chat_prompt_config")),
            completion_prompt_config: Set(text("completion_prompt_config")),
            dataset_configs: Set(text("dataset_configs")),
            file_upload: Set(text("file_upload")),
            created_by: Set(Some(import.owner)),
            updated_by: Set(Some(import.owner)),
            created_at: Set(naive(import.now)),
            updated_at: Set(naive(import.now)),
            ..Default::default()
        };
        config::Entity::insert(row).exec_without_returning(import.transaction).await?;
        Ok(id)
    }

    async fn add_graph(
        &self,
        import: &Import<'_>,
        app: DbUuid,
        mode: AppMode,
        body: &GraphBody,
    ) -> Result<DbUuid, DbErr> {
        let id = self.id(Uuid::new_v4());
        let row = workflow::ActiveModel {
            id: Set(id),
            tenant_id: Set(import.tenant),
            app_id: Set(app),
            r#type: Set(if mode == AppMode::Workflow { "workflow" } else { "chat" }.to_owned()),
            // What Dify calls a published version: the moment, as Python prints it.
            version: Set(naive(import.now).format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
            graph: Set(body.graph.to_string()),
            features: Set(body.features.to_string()),
            environment_variables: Set(by_name(&body.environment_variables)),
            conversation_variables: Set(by_name(&body.conversation_variables)),
            rag_pipeline_variables: Set("{}".to_owned()),
            marked_name: Set(String::new()),
            marked_comment: Set(String::new()),
            created_by: Set(import.owner),
            updated_by: Set(Some(import.owner)),
            created_at: Set(naive(import.now)),
            updated_at: Set(naive(import.now)),
        };
        workflow::Entity::insert(row).exec_without_returning(import.transaction).await?;
        Ok(id)
    }
}

async fn overwrite_app(import: &Import<'_>, id: DbUuid, file: &AppFile, published: &Published) -> Result<(), SqlError> {
    let done = app::Entity::update_many()
        .col_expr(app::Column::Name, Expr::value(&file.name))
        .col_expr(app::Column::Description, Expr::value(&file.description))
        .col_expr(app::Column::Icon, Expr::value(file.icon.clone()))
        .col_expr(app::Column::IconType, Expr::value(file.icon_type.clone()))
        .col_expr(app::Column::IconBackground, Expr::value(file.icon_background.clone()))
        .col_expr(app::Column::UseIconAsAnswerIcon, Expr::value(file.use_icon_as_answer_icon))
        .col_expr(app::Column::AppModelConfigId, Expr::value(published.config))
        .col_expr(app::Column::WorkflowId, Expr::value(published.graph))
        .col_expr(app::Column::UpdatedBy, Expr::value(Some(import.owner)))
        .col_expr(app::Column::UpdatedAt, Expr::value(naive(import.now)))
        .filter(app::Column::Id.eq(id))
        .exec(import.transaction)
        .await?;
    if done.rows_affected != 1 {
        return Err(gone().into());
    }
    Ok(())
}

async fn add_app(import: &Import<'_>, id: DbUuid, file: &AppFile, published: &Published) -> Result<(), DbErr> {
    let row = app::ActiveModel {
        id: Set(id),
        tenant_id: Set(import.tenant),
        name: Set(file.name.clone()),
        mode: Set(file.mode.as_str().to_owned()),
        icon: Set(file.icon.clone()),
        icon_background: Set(file.icon_background.clone()),
        icon_type: Set(file.icon_type.clone()),
        use_icon_as_answer_icon: Set(file.use_icon_as_answer_icon),
        description: Set(file.description.clone()),
        app_model_config_id: Set(published.config),
        workflow_id: Set(published.graph),
        status: Set("normal".to_owned()),
        enable_site: Set(true),
        enable_api: Set(true),
        created_by: Set(Some(import.owner)),
        updated_by: Set(Some(import.owner)),
        created_at: Set(naive(import.now)),
        updated_at: Set(naive(import.now)),
        ..Default::default()
    };
    app::Entity::insert(row).exec_without_returning(import.transaction).await?;
    Ok(())
}

/// Dify keeps variables in an object, each under its name.
fn by_name(variables: &[Value]) -> String {
    let named = |variable: &Value| Some((variable["name"].as_str()?.to_owned(), variable.clone()));
    Value::Object(variables.iter().filter_map(named).collect()).to_string()
}
