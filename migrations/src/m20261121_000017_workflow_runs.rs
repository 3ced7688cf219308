//! `workflow_runs`, as Dify creates it: runs of graphs with their outcome.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "workflow_runs";

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
            .col(columns.uuid("app_id").not_null())
            .col(columns.uuid("workflow_id").not_null())
            .col(Columns::varchar("type", 255).not_null())
            .col(Columns::varchar("triggered_from", 255).not_null())
            .col(Columns::varchar("version", 255).not_null())
            .col(columns.long_text("graph"))
            .col(columns.long_text("inputs"))
            .col(Columns::varchar("status", 255).not_null())
            .col(columns.long_text("outputs"))
            .col(columns.long_text("error"))
            .col(ColumnDef::new("elapsed_time").double().not_null().default(0))
            .col(ColumnDef::new("total_tokens").big_integer().not_null().default(0))
            .col(ColumnDef::new("total_steps").integer().default(0))
            .col(Columns::varchar("created_by_role", 255).not_null())
            .col(columns.uuid("created_by").not_null())
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp("finished_at"))
            .col(ColumnDef::new("exceptions_count").integer().default(0))
            .primary_key(Index::create().name("workflow_run_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create()
                .name("workflow_run_triggerd_from_idx")
                .col("tenant_id")
                .col("app_id")
                .col("triggered_from")
                .take(),
            Index::create().name("workflow_run_created_at_id_idx").col("created_at").col("id").take(),
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
