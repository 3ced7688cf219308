//! `conversations`, as Dify creates it.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "conversations";

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
            .col(columns.uuid("app_model_config_id"))
            .col(Columns::varchar("model_provider", 255))
            .col(columns.long_text("override_model_configs"))
            .col(Columns::varchar("model_id", 255))
            .col(Columns::varchar("mode", 255).not_null())
            .col(Columns::varchar("name", 255).not_null())
            .col(columns.long_text("summary"))
            .col(ColumnDef::new("inputs").json().not_null())
            .col(columns.long_text("introduction"))
            .col(columns.long_text("system_instruction"))
            .col(Columns::count("system_instruction_tokens"))
            .col(Columns::varchar("status", 255).not_null())
            .col(Columns::varchar("from_source", 255).not_null())
            .col(columns.uuid("from_end_user_id"))
            .col(columns.uuid("from_account_id"))
            .col(columns.timestamp("read_at"))
            .col(columns.uuid("read_account_id"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(Columns::flag("is_deleted", false))
            .col(Columns::varchar("invoke_from", 255))
            .col(Columns::count("dialogue_count"))
            .primary_key(Index::create().name("conversation_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create()
                .name("conversation_app_from_user_idx")
                .col("app_id")
                .col("from_source")
                .col("from_end_user_id")
                .take(),
            live(
                Index::create()
                    .name("conversation_app_created_at_idx")
                    .col("app_id")
                    .col(("created_at", IndexOrder::Desc))
                    .take(),
                &columns,
            ),
            live(
                Index::create()
                    .name("conversation_app_updated_at_idx")
                    .col("app_id")
                    .col(("updated_at", IndexOrder::Desc))
                    .take(),
                &columns,
            ),
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

/// Excludes deleted rows from an index, where the database has partial indexes.
fn live(mut index: IndexCreateStatement, columns: &Columns) -> IndexCreateStatement {
    if !columns.is_mysql() {
        index.and_where(Expr::col("is_deleted").is(false));
    }
    index
}
