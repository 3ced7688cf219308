//! `messages`, as Dify creates it: one query and its answer.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "messages";

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
            .col(Columns::varchar("model_provider", 255))
            .col(Columns::varchar("model_id", 255))
            .col(columns.long_text("override_model_configs"))
            .col(columns.uuid("conversation_id").not_null())
            .col(ColumnDef::new("inputs").json().not_null())
            .col(columns.long_text("query").not_null())
            .col(ColumnDef::new("message").json().not_null())
            .col(Columns::count("message_tokens"))
            .col(ColumnDef::new("message_unit_price").decimal_len(10, 4).not_null())
            .col(columns.long_text("answer").not_null())
            .col(Columns::count("answer_tokens"))
            .col(ColumnDef::new("answer_unit_price").decimal_len(10, 4).not_null())
            .col(ColumnDef::new("provider_response_latency").double().not_null().default(0))
            .col(ColumnDef::new("total_price").decimal_len(10, 7))
            .col(Columns::varchar("currency", 255).not_null())
            .col(Columns::varchar("from_source", 255).not_null())
            .col(columns.uuid("from_end_user_id"))
            .col(columns.uuid("from_account_id"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(Columns::flag("agent_based", false))
            .col(ColumnDef::new("message_price_unit").decimal_len(10, 7).not_null().default(0.001))
            .col(ColumnDef::new("answer_price_unit").decimal_len(10, 7).not_null().default(0.001))
            .col(columns.uuid("workflow_run_id"))
            .col(Columns::varchar("status", 255).not_null().default("normal"))
            .col(columns.long_text("error"))
            .col(columns.long_text("message_metadata"))
            .col(Columns::varchar("invoke_from", 255))
            .col(columns.uuid("parent_message_id"))
            .col(Columns::varchar("app_mode", 255))
            .primary_key(Index::create().name("message_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("message_app_id_idx").col("app_id").col("created_at").take(),
            Index::create().name("message_conversation_id_idx").col("conversation_id").take(),
            Index::create()
                .name("message_end_user_idx")
                .col("app_id")
                .col("from_source")
                .col("from_end_user_id")
                .take(),
            Index::create().name("message_account_idx").col("app_id").col("from_source").col("from_account_id").take(),
            Index::create().name("message_workflow_run_id_idx").col("conversation_id").col("workflow_run_id").take(),
            Index::create().name("message_created_at_id_idx").col("created_at").col("id").take(),
            Index::create().name("message_app_mode_idx").col("app_mode").take(),
        ];
        for mut index in indexes {
            schema.create_index(index.table(TABLE).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
