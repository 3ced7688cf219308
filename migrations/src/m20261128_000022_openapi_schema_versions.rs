//! `openapi_schema_versions`: one row that names the versions of this service that work on the schema.

use sea_orm_migration::prelude::*;

use crate::{column::Columns, compatible_version::SCHEMA_VERSION_TABLE, table::drop_own};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
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

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_own(manager, SCHEMA_VERSION_TABLE).await
    }
}
