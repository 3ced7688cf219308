//! `tag_bindings`, as Dify creates it: tags of apps.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "tag_bindings";

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
            .col(columns.uuid("tag_id"))
            .col(columns.uuid("target_id"))
            .col(columns.uuid("created_by").not_null())
            .col(columns.timestamp_now("created_at"))
            .primary_key(Index::create().name("tag_binding_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("tag_bind_target_id_idx").col("target_id").take(),
            Index::create().name("tag_bind_tag_id_idx").col("tag_id").take(),
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
