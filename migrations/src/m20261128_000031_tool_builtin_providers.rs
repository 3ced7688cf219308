//! `tool_builtin_providers`, as Dify creates it: credentials of tool providers.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "tool_builtin_providers";

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
            .col(columns.uuid("tenant_id"))
            .col(columns.uuid("user_id").not_null())
            .col(Columns::varchar("provider", 256).not_null())
            .col(columns.long_text("encrypted_credentials"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(Columns::varchar("name", 256).not_null().default("API KEY 1"))
            .col(Columns::flag("is_default", false))
            .col(Columns::varchar("credential_type", 32).not_null().default("api-key"))
            .col(ColumnDef::new("expires_at").big_integer().not_null().default(-1))
            .primary_key(Index::create().name("tool_builtin_provider_pkey").col("id"));
        schema.create_table(table).await?;
        let mut index = Index::create()
            .name("unique_builtin_tool_provider")
            .unique()
            .col("tenant_id")
            .col("provider")
            .col("name")
            .take();
        schema.create_index(index.table(TABLE).take()).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
