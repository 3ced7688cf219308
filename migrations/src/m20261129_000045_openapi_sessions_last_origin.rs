//! `openapi_sessions`: where and with what a session was last used. The time is in `oauth_access_tokens`.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
};

const TABLE: &str = "openapi_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let added = [
            ("last_ip", Columns::varchar("last_ip", 64)),
            ("last_user_agent", ColumnDef::new("last_user_agent").text().take()),
        ];
        // SQLite adds one column per statement.
        for (name, mut column) in added {
            if schema.has_column(TABLE, name).await? {
                continue;
            }
            column.null();
            schema.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        for column in ["last_ip", "last_user_agent"] {
            schema.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
