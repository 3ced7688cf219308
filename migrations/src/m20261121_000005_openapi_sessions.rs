//! `openapi_sessions`: what a session is listed with beyond Dify's own row.
//!
//! No foreign key: it would put triggers on Dify's table. Rows left behind go with the retention job.

use sea_orm_migration::prelude::*;

use crate::{column::Columns, drop_own};

const TABLE: &str = "openapi_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = Columns::of(manager);
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
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_own(manager, TABLE).await
    }
}
