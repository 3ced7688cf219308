//! `upload_files`, as Dify creates it: files that callers uploaded.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "upload_files";

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
            .col(Columns::varchar("storage_type", 255).not_null())
            .col(Columns::varchar("key", 255).not_null())
            .col(Columns::varchar("name", 255).not_null())
            .col(ColumnDef::new("size").integer().not_null())
            .col(Columns::varchar("extension", 255).not_null())
            .col(Columns::varchar("mime_type", 255))
            .col(columns.uuid("created_by").not_null())
            .col(columns.timestamp_now("created_at"))
            .col(Columns::flag("used", false))
            .col(columns.uuid("used_by"))
            .col(columns.timestamp("used_at"))
            .col(Columns::varchar("hash", 255))
            .col(Columns::varchar("created_by_role", 255).not_null().default("account"))
            .col(columns.long_text_or("source_url", ""))
            .primary_key(Index::create().name("upload_file_pkey").col("id"));
        schema.create_table(table).await?;
        let mut index = Index::create().name("upload_file_tenant_idx").table(TABLE).col("tenant_id").take();
        schema.create_index(index.take()).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
