//! `openapi_conversation_variables`: variables of conversations with a graph. Dify added its own table for
//! them late; this service does not share it.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_conversation_variables";

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
            .col(columns.uuid("conversation_id").not_null())
            .col(columns.long_text("variables").not_null())
            .col(columns.timestamptz("updated_at").not_null())
            .primary_key(Index::create().name("openapi_conversation_variables_pkey").col("conversation_id"));
        schema.create_table(table).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
