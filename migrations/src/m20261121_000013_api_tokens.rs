//! `api_tokens`, as Dify creates it: the keys of its service API.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "api_tokens";

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
            .col(columns.uuid("app_id"))
            .col(Columns::varchar("type", 16).not_null())
            .col(Columns::varchar("token", 255).not_null())
            .col(columns.timestamp("last_used_at"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.uuid("tenant_id"))
            .primary_key(Index::create().name("api_token_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("api_token_app_id_type_idx").col("app_id").col("type").take(),
            Index::create().name("api_token_token_idx").col("token").col("type").take(),
            Index::create().name("api_token_tenant_idx").col("tenant_id").col("type").take(),
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
