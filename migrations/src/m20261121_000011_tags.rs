//! `tags`, as Dify creates it.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "tags";

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
            .col(Columns::varchar("type", 16).not_null())
            .col(Columns::varchar("name", 255).not_null())
            .col(columns.uuid("created_by").not_null())
            .col(columns.timestamp_now("created_at"))
            .primary_key(Index::create().name("tag_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("tag_type_idx").col("type").take(),
            Index::create().name("tag_name_idx").col("name").take(),
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
