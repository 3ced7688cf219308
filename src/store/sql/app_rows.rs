//! Rows of an imported app.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    db_uuid::DbUuid,
    entity::{app, app_model_config as config, workflow},
    error::SqlError,
    not_found::app_not_found,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::app::{
    AppMode,
    file::{AppFile, GraphBody},
    mode::AppStatus,
};

/// What all rows of one import share.
pub(super) struct ImportContext<'a> {
    pub(super) transaction: &'a DatabaseTransaction,
    pub(super) tenant: DbUuid,
    /// The account that is recorded as the author.
    pub(super) author: DbUuid,
    pub(super) now: DateTime<Utc>,
}

/// References from an app's row to its definition; exactly one is set.
pub(super) struct DefinitionIds {
    pub(super) config: Option<DbUuid>,
    pub(super) graph: Option<DbUuid>,
}

impl SqlStore {
    pub(super) async fn insert_config(
        &self,
        import: &ImportContext<'_>,
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
            created_by: Set(Some(import.author)),
            updated_by: Set(Some(import.author)),
            created_at: Set(naive_utc(import.now)),
            updated_at: Set(naive_utc(import.now)),
            ..Default::default()
        };
        config::Entity::insert(row).exec_without_returning(import.transaction).await?;
        Ok(id)
    }

    pub(super) async fn insert_graph(
        &self,
        import: &ImportContext<'_>,
        app: DbUuid,
        mode: AppMode,
        body: &GraphBody,
    ) -> Result<DbUuid, SqlError> {
        self.insert_version(import, app, mode, body, version_name(import.now)).await
    }

    /// Inserts a version of a graph, or its draft.
    pub(super) async fn insert_version(
        &self,
        import: &ImportContext<'_>,
        app: DbUuid,
        mode: AppMode,
        body: &GraphBody,
        version: String,
    ) -> Result<DbUuid, SqlError> {
        let id = self.id(Uuid::new_v4());
        let row = workflow::ActiveModel {
            id: Set(id),
            tenant_id: Set(import.tenant),
            app_id: Set(app),
            r#type: Set(if mode == AppMode::Workflow { "workflow" } else { "chat" }.to_owned()),
            version: Set(version),
            graph: Set(body.graph.to_string()),
            features: Set(body.features.to_string()),
            environment_variables: Set(by_name(&self.seal_secrets(&body.environment_variables)?)),
            conversation_variables: Set(by_name(&body.conversation_variables)),
            rag_pipeline_variables: Set("{}".to_owned()),
            marked_name: Set(String::new()),
            marked_comment: Set(String::new()),
            created_by: Set(import.author),
            updated_by: Set(Some(import.author)),
            created_at: Set(naive_utc(import.now)),
            updated_at: Set(naive_utc(import.now)),
        };
        workflow::Entity::insert(row).exec_without_returning(import.transaction).await?;
        Ok(id)
    }
}

/// The name of a version that is published now: its time, in the format of Python's `str(datetime)`, as in Dify.
pub(super) fn version_name(now: DateTime<Utc>) -> String {
    naive_utc(now).format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

pub(super) async fn overwrite_app(
    import: &ImportContext<'_>,
    id: DbUuid,
    file: &AppFile,
    definition: &DefinitionIds,
) -> Result<(), SqlError> {
    let done = app::Entity::update_many()
        .col_expr(app::Column::Name, Expr::value(&file.name))
        .col_expr(app::Column::Description, Expr::value(&file.description))
        .col_expr(app::Column::Icon, Expr::value(file.icon.clone()))
        .col_expr(app::Column::IconType, Expr::value(file.icon_type.clone()))
        .col_expr(app::Column::IconBackground, Expr::value(file.icon_background.clone()))
        .col_expr(app::Column::UseIconAsAnswerIcon, Expr::value(file.use_icon_as_answer_icon))
        .col_expr(app::Column::AppModelConfigId, Expr::value(definition.config))
        .col_expr(app::Column::WorkflowId, Expr::value(definition.graph))
        .col_expr(app::Column::UpdatedBy, Expr::value(Some(import.author)))
        .col_expr(app::Column::UpdatedAt, Expr::value(naive_utc(import.now)))
        .filter(app::Column::Id.eq(id))
        .exec(import.transaction)
        .await?;
    if done.rows_affected != 1 {
        return Err(app_not_found().into());
    }
    Ok(())
}

pub(super) async fn insert_app(
    import: &ImportContext<'_>,
    id: DbUuid,
    file: &AppFile,
    definition: &DefinitionIds,
) -> Result<(), DbErr> {
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
        app_model_config_id: Set(definition.config),
        workflow_id: Set(definition.graph),
        status: Set(AppStatus::Normal.as_str().to_owned()),
        enable_site: Set(true),
        enable_api: Set(true),
        created_by: Set(Some(import.author)),
        updated_by: Set(Some(import.author)),
        created_at: Set(naive_utc(import.now)),
        updated_at: Set(naive_utc(import.now)),
        ..Default::default()
    };
    app::Entity::insert(row).exec_without_returning(import.transaction).await?;
    Ok(())
}

/// Variables in the form Dify stores them: an object with one member for each name.
fn by_name(variables: &[Value]) -> String {
    let named = |variable: &Value| Some((variable["name"].as_str()?.to_owned(), variable.clone()));
    Value::Object(variables.iter().filter_map(named).collect()).to_string()
}
