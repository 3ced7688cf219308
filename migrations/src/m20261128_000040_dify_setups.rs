//! `dify_setups`, as Dify creates it: its row says that the first administrator exists. The primary key makes the setup
//! happen once.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    table::{drop_shared, is_missing},
};

const TABLE: &str = "dify_setups";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !is_missing(manager, TABLE).await? {
            return Ok(());
        }
        let columns = Columns::of(manager);
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(Columns::varchar("version", 255).not_null())
            .col(columns.timestamp_now("setup_at"))
            .primary_key(Index::create().name("dify_setup_pkey").col("version"));
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_shared(manager, TABLE).await
    }
}
