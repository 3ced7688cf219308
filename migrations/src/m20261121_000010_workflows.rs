//! `workflows`, as Dify creates it: drafts and published versions of graphs.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "workflows";

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
            .col(columns.uuid("tenant_id").not_null())
            .col(columns.uuid("app_id").not_null())
            .col(Columns::varchar("type", 255).not_null())
            .col(Columns::varchar("version", 255).not_null())
            .col(columns.long_text("graph").not_null())
            .col(columns.long_text("features").not_null())
            .col(columns.uuid("created_by").not_null())
            .col(columns.timestamp_now("created_at"))
            .col(columns.uuid("updated_by"))
            .col(columns.timestamp("updated_at").not_null())
            .col(columns.long_text_or("environment_variables", "{}"))
            .col(columns.long_text_or("conversation_variables", "{}"))
            .col(ColumnDef::new("marked_name").string().not_null().default(""))
            .col(ColumnDef::new("marked_comment").string().not_null().default(""))
            .col(columns.long_text_or("rag_pipeline_variables", "{}"))
            .primary_key(Index::create().name("workflow_pkey").col("id"));
        schema.create_table(table).await?;
        let mut index =
            Index::create().name("workflow_version_idx").col("tenant_id").col("app_id").col("version").take();
        schema.create_index(index.table(TABLE).take()).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
