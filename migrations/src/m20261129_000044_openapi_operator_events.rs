//! `openapi_operator_events`: audit events of commands, until a server has written them to its log.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_operator_events";

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
            .col(columns.long_text("event").not_null())
            .col(columns.timestamptz("created_at").not_null())
            .primary_key(Index::create().name("openapi_operator_events_pkey").col("id"));
        schema.create_table(table).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
