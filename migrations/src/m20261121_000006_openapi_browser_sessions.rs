//! `openapi_browser_sessions`: sign-ins to the pages of a standalone server.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_browser_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(columns.uuid("id").not_null())
            .col(columns.uuid("account_id").not_null())
            .col(Columns::varchar("refresh_hash", 64).not_null())
            .col(columns.timestamptz("created_at").not_null())
            .col(columns.timestamptz("expires_at").not_null())
            .col(ColumnDef::new("remember").boolean().not_null())
            .primary_key(Index::create().name("openapi_browser_sessions_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("openapi_browser_sessions_refresh_hash_key").col("refresh_hash").unique().take(),
            Index::create().name("openapi_browser_sessions_account_id_idx").col("account_id").take(),
            Index::create().name("openapi_browser_sessions_expires_at_idx").col("expires_at").take(),
        ];
        for mut index in indexes {
            schema.create_index(index.table(TABLE).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
