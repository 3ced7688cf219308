//! One app, with what it does.

use chrono::NaiveDateTime;
use sea_orm::{DbErr, QueryResult, sea_query::Expr};
use serde_json::Value;

use super::{read_standing, read_tags, statements::namesakes};
use crate::{
    domain::{
        Result,
        app::{
            AppMode, Definition, ModelConfig, Workflow,
            form::is_truthy,
            membership::MembershipStatus,
            stored::{AppDetail, StoredApp},
        },
        id::{AccountId, AppId, ModelConfigId, WorkflowId, WorkspaceId},
    },
    store::sql::{
        DbUuid, SqlStore,
        entity::{app, app_model_config as config, workflow},
    },
};

/// How much of an app is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Its row.
    Outline,
    /// Its row and what is published.
    Published,
    /// What is published, to be run.
    Run,
    /// One version of its graph, to be run.
    Version,
}

impl Load {
    /// Whether it is told to people, with its tags and its author.
    pub(super) fn is_told(self) -> bool {
        matches!(self, Self::Outline | Self::Published)
    }
}

impl SqlStore {
    /// An app by its id, and the account's standing in `workspace`, else in the app's own. One statement.
    ///
    /// The app is told whatever the standing is, and whether or not it is in that workspace: the caller judges in the
    /// contract's order.
    pub async fn find_app(
        &self,
        account: AccountId,
        id: AppId,
        workspace: Option<WorkspaceId>,
        wanted: AppDetail,
    ) -> Result<(MembershipStatus, Option<StoredApp>)> {
        let (load, version) = match wanted {
            AppDetail::Outline => (Load::Outline, None),
            AppDetail::Published => (Load::Published, None),
            AppDetail::Run => (Load::Run, None),
            AppDetail::Version(id) => (Load::Version, Some(id.0)),
        };
        let statement = &self.hot.apps.find[usize::from(workspace.is_some())][load as usize];
        let values = [Some(id.0), workspace.map(|id| id.0), version, Some(account.0)];
        let values: Vec<_> = values.into_iter().flatten().map(|id| self.id(id).into()).collect();
        let Some(row) = self.hot_row(self.hot(statement, values)).await? else {
            return Ok((MembershipStatus::Inactive, None));
        };
        Ok((read_standing(&row)?, read_app(&row, load)?))
    }

    /// The apps of exactly this name that may be called in a workspace the account is a member of, newest first, twenty at
    /// most: id and mode. One statement.
    pub async fn find_apps_named(
        &self,
        account: AccountId,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<(MembershipStatus, Vec<(AppId, String)>)> {
        // No database holds a NUL in a text, and some will not hear of one.
        let is_name = if name.contains('\0') {
            Expr::cust("1 = 0")
        } else {
            self.is_same(Expr::col((app::Entity, app::Column::Name)), Expr::val(name))
        };
        let select = namesakes(Expr::val(self.id(workspace.0)), is_name, Expr::val(self.id(account.0)));
        let rows = self.rows(&select).await?;
        let Some(first) = rows.first() else { return Ok((MembershipStatus::Inactive, Vec::new())) };
        let mut apps = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(id) = row.try_get_by::<Option<DbUuid>, _>("app_id")? {
                apps.push((AppId(id.uuid()), row.try_get_by("mode")?));
            }
        }
        Ok((read_standing(first)?, apps))
    }
}

fn read_app(row: &QueryResult, load: Load) -> Result<Option<StoredApp>, DbErr> {
    let Some(id) = row.try_get_by::<Option<DbUuid>, _>("app_id")? else { return Ok(None) };
    let mode: String = row.try_get_by("mode")?;
    let most: Option<i32> = row.try_get_by("max_active_requests")?;
    Ok(Some(StoredApp {
        id: AppId(id.uuid()),
        workspace_id: WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid()),
        name: row.try_get_by("name")?,
        description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
        author_name: if load.is_told() { row.try_get_by("author_name")? } else { None },
        tags: if load.is_told() { read_tags(row)? } else { Vec::new() },
        updated_at: row.try_get_by::<NaiveDateTime, _>("updated_at")?.and_utc(),
        is_normal: row.try_get_by::<String, _>("status")? == "normal",
        enable_api: row.try_get_by("enable_api")?,
        max_active_requests: most.and_then(|most| u32::try_from(most).ok()),
        agent_enabled: json(row, "agent_mode")?.get("enabled").is_some_and(is_truthy),
        definition: match AppMode::parse(&mode) {
            Some(mode) if load != Load::Outline => read_definition(row, mode)?,
            _ => None,
        },
        mode,
    }))
}

/// Columns of a model configuration beside its id and its agent mode, which every read has.
pub(super) const CONFIG_COLUMNS: [config::Column; 17] = [
    config::Column::Model,
    config::Column::UserInputForm,
    config::Column::PrePrompt,
    config::Column::PromptType,
    config::Column::ChatPromptConfig,
    config::Column::CompletionPromptConfig,
    config::Column::OpeningStatement,
    config::Column::SuggestedQuestions,
    config::Column::SuggestedQuestionsAfterAnswer,
    config::Column::MoreLikeThis,
    config::Column::SpeechToText,
    config::Column::TextToSpeech,
    config::Column::RetrieverResource,
    config::Column::SensitiveWordAvoidance,
    config::Column::DatasetConfigs,
    config::Column::ExternalDataTools,
    config::Column::FileUpload,
];

/// Columns of a graph beside its id.
pub(super) const WORKFLOW_COLUMNS: [workflow::Column; 5] = [
    workflow::Column::Version,
    workflow::Column::Graph,
    workflow::Column::Features,
    workflow::Column::EnvironmentVariables,
    workflow::Column::ConversationVariables,
];

fn read_definition(row: &QueryResult, mode: AppMode) -> Result<Option<Definition>, DbErr> {
    if mode.has_graph() {
        let Some(id) = row.try_get_by::<Option<DbUuid>, _>("graph_id")? else { return Ok(None) };
        return Ok(Some(Definition::Workflow(Box::new(Workflow {
            id: WorkflowId(id.uuid()),
            version: row.try_get_by("version")?,
            graph: json(row, "graph")?,
            features: json(row, "features")?,
            environment_variables: json(row, "environment_variables")?,
            conversation_variables: json(row, "conversation_variables")?,
        }))));
    }
    let Some(id) = row.try_get_by::<Option<DbUuid>, _>("config_id")? else { return Ok(None) };
    Ok(Some(Definition::Model(Box::new(ModelConfig {
        id: ModelConfigId(id.uuid()),
        model: json(row, "model")?,
        user_input_form: json(row, "user_input_form")?,
        pre_prompt: text(row, "pre_prompt")?,
        prompt_type: text(row, "prompt_type")?,
        chat_prompt_config: json(row, "chat_prompt_config")?,
        completion_prompt_config: json(row, "completion_prompt_config")?,
        opening_statement: text(row, "opening_statement")?,
        suggested_questions: json(row, "suggested_questions")?,
        suggested_questions_after_answer: json(row, "suggested_questions_after_answer")?,
        more_like_this: json(row, "more_like_this")?,
        speech_to_text: json(row, "speech_to_text")?,
        text_to_speech: json(row, "text_to_speech")?,
        retriever_resource: json(row, "retriever_resource")?,
        sensitive_word_avoidance: json(row, "sensitive_word_avoidance")?,
        agent_mode: json(row, "agent_mode")?,
        dataset_configs: json(row, "dataset_configs")?,
        external_data_tools: json(row, "external_data_tools")?,
        file_upload: json(row, "file_upload")?,
    }))))
}

fn text(row: &QueryResult, column: &str) -> Result<String, DbErr> {
    Ok(row.try_get_by::<Option<String>, _>(column)?.unwrap_or_default())
}

/// JSON that is kept as text; null where there is none, or none that can be read.
fn json(row: &QueryResult, column: &str) -> Result<Value, DbErr> {
    let text: Option<String> = row.try_get_by(column)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}
