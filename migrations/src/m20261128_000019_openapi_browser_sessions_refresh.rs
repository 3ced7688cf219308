//! `openapi_browser_sessions`: the refresh token before the current one, which is accepted for some seconds more, and
//! the time of the refresh.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{add_columns, drop_columns},
};

const TABLE: &str = "openapi_browser_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let added = [Columns::varchar("previous_refresh_hash", 64), columns.timestamptz("refreshed_at")];
        add_columns(schema, TABLE, added).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_columns(schema, TABLE, &["previous_refresh_hash", "refreshed_at"]).await
    }
}
