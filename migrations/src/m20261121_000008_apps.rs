//! `apps`, as Dify creates it, with two more indexes for lists and for look-ups by name.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "apps";

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
            .col(Columns::varchar("name", 255).not_null())
            .col(Columns::varchar("mode", 255).not_null())
            .col(Columns::varchar("icon", 255))
            .col(Columns::varchar("icon_background", 255))
            .col(columns.uuid("app_model_config_id"))
            .col(Columns::varchar("status", 255).not_null().default("normal"))
            .col(ColumnDef::new("enable_site").boolean().not_null())
            .col(ColumnDef::new("enable_api").boolean().not_null())
            .col(Columns::count("api_rpm"))
            .col(Columns::count("api_rph"))
            .col(Columns::flag("is_demo", false))
            .col(Columns::flag("is_public", false))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(Columns::flag("is_universal", false))
            .col(columns.uuid("workflow_id"))
            .col(columns.long_text_or("description", ""))
            .col(columns.long_text("tracing"))
            .col(ColumnDef::new("max_active_requests").integer())
            .col(Columns::varchar("icon_type", 255))
            .col(columns.uuid("created_by"))
            .col(columns.uuid("updated_by"))
            .col(Columns::flag("use_icon_as_answer_icon", false))
            .primary_key(Index::create().name("app_pkey").col("id"));
        schema.create_table(table).await?;
        let indexes = [
            Index::create().name("app_tenant_id_idx").col("tenant_id").take(),
            // Not among Dify's indexes. They answer a look-up by name and a page, newest first, without reading every
            // app of the workspace.
            Index::create().name("app_tenant_id_name_idx").col("tenant_id").col("name").take(),
            Index::create()
                .name("app_tenant_id_updated_at_idx")
                .col("tenant_id")
                .col(("updated_at", IndexOrder::Desc))
                .col("id")
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
