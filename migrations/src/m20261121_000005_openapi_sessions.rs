//! `openapi_sessions`: details of sessions that Dify's table has no columns for.
//!
//! There is no foreign key, because it would add triggers to Dify's table. The retention job deletes orphaned rows.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_sessions";

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
            .col(columns.uuid("token_id").not_null())
            .col(Columns::varchar("prefix", 9).not_null())
            .col(Columns::varchar("created_ip", 64).not_null())
            .col(ColumnDef::new("user_agent").text())
            .col(columns.timestamptz("created_at").not_null())
            .primary_key(Index::create().name("openapi_sessions_pkey").col("token_id"));
        schema.create_table(table).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
