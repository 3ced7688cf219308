//! `tenant_account_joins`, as Dify creates it: members of workspaces with their roles.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "tenant_account_joins";

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
            .col(columns.uuid("tenant_id").not_null())
            .col(columns.uuid("account_id").not_null())
            .col(Columns::varchar("role", 16).not_null().default("normal"))
            .col(columns.uuid("invited_by"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(ColumnDef::new("current").boolean().not_null().default(false))
            .primary_key(Index::create().name("tenant_account_join_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("unique_tenant_account_join").col("tenant_id").col("account_id").unique().take(),
            Index::create().name("tenant_account_join_account_id_idx").col("account_id").take(),
            Index::create().name("tenant_account_join_tenant_id_idx").col("tenant_id").take(),
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
