//! `app_model_configs`, as Dify creates it: definitions of chat, agent-chat and completion apps.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "app_model_configs";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        if !is_missing(schema, TABLE).await? {
            return Ok(());
        }
        let columns = Columns::of(schema.backend());
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(columns.id())
            .col(columns.uuid("app_id").not_null())
            .col(Columns::varchar("provider", 255))
            .col(Columns::varchar("model_id", 255))
            .col(ColumnDef::new("configs").json())
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(columns.long_text("opening_statement"))
            .col(columns.long_text("suggested_questions"))
            .col(columns.long_text("suggested_questions_after_answer"))
            .col(columns.long_text("more_like_this"))
            .col(columns.long_text("model"))
            .col(columns.long_text("user_input_form"))
            .col(columns.long_text("pre_prompt"))
            .col(columns.long_text("agent_mode"))
            .col(columns.long_text("speech_to_text"))
            .col(columns.long_text("sensitive_word_avoidance"))
            .col(columns.long_text("retriever_resource"))
            .col(Columns::varchar("dataset_query_variable", 255))
            .col(Columns::varchar("prompt_type", 255).not_null().default("simple"))
            .col(columns.long_text("chat_prompt_config"))
            .col(columns.long_text("completion_prompt_config"))
            .col(columns.long_text("external_data_tools"))
            .col(columns.long_text("dataset_configs"))
            .col(columns.long_text("file_upload"))
            .col(columns.long_text("text_to_speech"))
            .col(columns.uuid("created_by"))
            .col(columns.uuid("updated_by"))
            .primary_key(Index::create().name("app_model_config_pkey").col("id"));
        schema.create_table(table).await?;
        let mut index = Index::create().name("app_app_id_idx").col("app_id").take();
        schema.create_index(index.table(TABLE).take()).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
