//! `openapi_browser_sessions`: where and with what a session began and was last used.

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
        let added = [
            Columns::varchar("created_ip", 64),
            ColumnDef::new("user_agent").text().take(),
            Columns::varchar("last_ip", 64),
            ColumnDef::new("last_user_agent").text().take(),
        ];
        add_columns(schema, TABLE, added).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_columns(schema, TABLE, &["created_ip", "user_agent", "last_ip", "last_user_agent"]).await
    }
}
