//! `openapi_connection_providers`, the imported manifests, and `openapi_connections`, the state of connections that
//! Dify's `tool_builtin_providers` has no columns for.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const PROVIDERS: &str = "openapi_connection_providers";
const CONNECTIONS: &str = "openapi_connections";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    /// `openapi_connections` refers to Dify's table by id only: a foreign key would add a constraint to Dify's schema.
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let mut providers = Table::create();
        providers
            .table(PROVIDERS)
            .if_not_exists()
            .col(Columns::varchar("provider", 255).not_null())
            .col(columns.long_text("manifest").not_null())
            .col(columns.timestamptz("updated_at").not_null())
            .primary_key(Index::create().name("openapi_connection_providers_pkey").col("provider"));
        schema.create_table(providers).await?;
        let mut connections = Table::create();
        connections
            .table(CONNECTIONS)
            .if_not_exists()
            .col(columns.uuid("credential_id").not_null())
            .col(Columns::varchar("visibility", 32).not_null())
            .col(Columns::varchar("status", 32).not_null())
            .col(Columns::varchar("reason", 64))
            .col(Columns::count("failures"))
            .col(columns.timestamptz("retry_at"))
            .col(columns.timestamptz("last_used_at"))
            .primary_key(Index::create().name("openapi_connections_pkey").col("credential_id"));
        schema.create_table(connections).await?;
        let index =
            Index::create().name("openapi_connections_last_used_at_idx").table(CONNECTIONS).col("last_used_at").take();
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, CONNECTIONS).await?;
        drop_own(schema, PROVIDERS).await
    }
}
