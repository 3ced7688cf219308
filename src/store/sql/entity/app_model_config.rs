//! `app_model_configs`: the definitions of apps without a graph. JSON is text; times are UTC without a zone.

use sea_orm::entity::prelude::*;

use crate::store::sql::db_uuid::DbUuid;

#[expect(clippy::struct_field_names, reason = "the columns are Dify's")]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "app_model_configs")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DbUuid,
    pub app_id: DbUuid,
    pub provider: Option<String>,
    pub model_id: Option<String>,
    pub configs: Option<Json>,
    pub created_at: DateTime,
    pub updated_at: DateTime,
    pub opening_statement: Option<String>,
    pub suggested_questions: Option<String>,
    pub suggested_questions_after_answer: Option<String>,
    pub more_like_this: Option<String>,
    pub model: Option<String>,
    pub user_input_form: Option<String>,
    pub pre_prompt: Option<String>,
    pub agent_mode: Option<String>,
    pub speech_to_text: Option<String>,
    pub sensitive_word_avoidance: Option<String>,
    pub retriever_resource: Option<String>,
    pub dataset_query_variable: Option<String>,
    pub prompt_type: String,
    pub chat_prompt_config: Option<String>,
    pub completion_prompt_config: Option<String>,
    pub dataset_configs: Option<String>,
    pub external_data_tools: Option<String>,
    pub file_upload: Option<String>,
    pub text_to_speech: Option<String>,
    pub created_by: Option<DbUuid>,
    pub updated_by: Option<DbUuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
