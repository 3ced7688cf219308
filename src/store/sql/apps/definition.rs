//! Columns that hold what an app does, and how they are read.

use sea_orm::{DbErr, QueryResult};
use serde_json::Value;

use crate::{
    domain::{
        Error, Result,
        app::{AppMode, Definition, ModelConfig, Workflow, stored_app::AppDetail},
        id::{ModelConfigId, WorkflowId},
    },
    store::sql::{
        db_uuid::DbUuid,
        entity::{app_model_config as config, workflow},
    },
};

/// [`AppDetail`] without the version's id. Its number is an index into `AppStatements::find`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DetailKind {
    Outline,
    Published,
    Run,
    Version,
}

impl DetailKind {
    /// In the order of their numbers.
    pub(super) const ALL: [Self; 4] = [Self::Outline, Self::Published, Self::Run, Self::Version];

    pub(super) fn of(detail: AppDetail) -> Self {
        match detail {
            AppDetail::Outline => Self::Outline,
            AppDetail::Published => Self::Published,
            AppDetail::Run => Self::Run,
            AppDetail::Version(_) => Self::Version,
        }
    }

    /// Whether the author's name and the tags are read.
    pub(super) fn has_author_and_tags(self) -> bool {
        matches!(self, Self::Outline | Self::Published)
    }
}

/// Columns of a model configuration except its id and `agent_mode`, which every statement selects.
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

/// Columns of a graph except its id.
pub(super) const WORKFLOW_COLUMNS: [workflow::Column; 5] = [
    workflow::Column::Version,
    workflow::Column::Graph,
    workflow::Column::Features,
    workflow::Column::EnvironmentVariables,
    workflow::Column::ConversationVariables,
];

/// Is called with each stored JSON text of a definition before the text is parsed; an error ends the reading.
pub(crate) type AdmitText<'a> = dyn FnMut(&str) -> Result<()> + Send + 'a;

/// Reads the definition of an app of this mode; `None` when it has none.
pub(super) fn read_definition(
    row: &QueryResult,
    mode: AppMode,
    admit: &mut AdmitText<'_>,
) -> Result<Option<Definition>> {
    let mut json = |row: &QueryResult, column: &str| {
        let text: Option<String> = row.try_get_by(column)?;
        let Some(text) = text else { return Ok::<_, Error>(Value::Null) };
        admit(&text)?;
        Ok(parsed(&text))
    };
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

/// JSON that is stored as text; null where the column is null, empty or not JSON.
pub(super) fn json(row: &QueryResult, column: &str) -> Result<Value, DbErr> {
    let text: Option<String> = row.try_get_by(column)?;
    Ok(text.map(|text| parsed(&text)).unwrap_or_default())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
