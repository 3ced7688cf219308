//! `tenants`, as Dify creates it: the workspaces.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "tenants";

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
            .col(Columns::varchar("name", 255).not_null())
            .col(ColumnDef::new("encrypt_public_key").text())
            .col(Columns::varchar("plan", 255).not_null().default("basic"))
            .col(Columns::varchar("status", 255).not_null().default("normal"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(ColumnDef::new("custom_config").text())
            .primary_key(Index::create().name("tenant_pkey").col("id"));
        schema.create_table(table).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
