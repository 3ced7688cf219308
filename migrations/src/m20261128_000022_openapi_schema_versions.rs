//! `openapi_schema_versions`: one row that names the versions of this service that work on the schema.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    compatible_version::SCHEMA_VERSION_TABLE,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        schema
            .create_table(
                Table::create()
                    .table(SCHEMA_VERSION_TABLE)
                    .if_not_exists()
                    .col(Columns::varchar("migrated_by", 32).not_null())
                    .col(Columns::varchar("oldest_compatible", 32).not_null())
                    .take(),
            )
            .await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, SCHEMA_VERSION_TABLE).await
    }
}
