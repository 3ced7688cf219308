//! `openapi_sessions`: where and with what a session was last used. The time is in `oauth_access_tokens`.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{add_columns, drop_columns},
};

const TABLE: &str = "openapi_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let added =
            [Columns::varchar("last_ip", 64).null().take(), ColumnDef::new("last_user_agent").text().null().take()];
        add_columns(schema, TABLE, added).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_columns(schema, TABLE, &["last_ip", "last_user_agent"]).await
    }
}
