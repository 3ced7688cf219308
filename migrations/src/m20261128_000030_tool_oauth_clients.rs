//! `tool_oauth_system_clients` and `tool_oauth_tenant_clients`, as Dify creates them: OAuth clients of tool providers.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const SYSTEM: &str = "tool_oauth_system_clients";
const TENANT: &str = "tool_oauth_tenant_clients";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        // MySQL limits the bytes of an index, so the columns of the unique one are as short there as Dify's are.
        let plugin_length = if columns.is_mysql() { 255 } else { 512 };
        if is_missing(schema, SYSTEM).await? {
            let mut table = Table::create();
            table
                .table(SYSTEM)
                .if_not_exists()
                .col(columns.id())
                .col(Columns::varchar("plugin_id", plugin_length).not_null())
                .col(Columns::varchar("provider", 255).not_null())
                .col(columns.long_text("encrypted_oauth_params").not_null())
                .primary_key(Index::create().name("tool_oauth_system_client_pkey").col("id"));
            schema.create_table(table).await?;
            let name = "tool_oauth_system_client_plugin_id_provider_idx";
            let mut index = Index::create().name(name).unique().col("plugin_id").col("provider").take();
            schema.create_index(index.table(SYSTEM).take()).await?;
        }
        if is_missing(schema, TENANT).await? {
            let mut table = Table::create();
            table
                .table(TENANT)
                .if_not_exists()
                .col(columns.id())
                .col(columns.uuid("tenant_id").not_null())
                .col(Columns::varchar("plugin_id", 255).not_null())
                .col(Columns::varchar("provider", 255).not_null())
                .col(Columns::flag("enabled", true))
                .col(columns.long_text("encrypted_oauth_params").not_null())
                .primary_key(Index::create().name("tool_oauth_tenant_client_pkey").col("id"));
            schema.create_table(table).await?;
            let mut index = Index::create()
                .name("unique_tool_oauth_tenant_client")
                .unique()
                .col("tenant_id")
                .col("plugin_id")
                .col("provider")
                .take();
            schema.create_index(index.table(TENANT).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TENANT).await?;
        drop_shared(schema, SYSTEM).await
    }
}
