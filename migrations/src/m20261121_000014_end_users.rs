//! `end_users`, as Dify creates it: callers, as Dify's app data identifies them.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "end_users";

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
            .col(columns.uuid("app_id"))
            .col(Columns::varchar("type", 255).not_null())
            .col(Columns::varchar("external_user_id", 255))
            .col(Columns::varchar("name", 255))
            .col(Columns::flag("is_anonymous", true))
            .col(Columns::varchar("session_id", 255).not_null())
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .primary_key(Index::create().name("end_user_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("end_user_session_id_idx").col("session_id").col("type").take(),
            Index::create()
                .name("end_user_tenant_session_id_idx")
                .col("tenant_id")
                .col("session_id")
                .col("type")
                .take(),
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
