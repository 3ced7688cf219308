//! `openapi_browser_sessions`: where and with what a session began and was last used.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
};

const TABLE: &str = "openapi_browser_sessions";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let added = [
            ("created_ip", Columns::varchar("created_ip", 64)),
            ("user_agent", ColumnDef::new("user_agent").text().take()),
            ("last_ip", Columns::varchar("last_ip", 64)),
            ("last_user_agent", ColumnDef::new("last_user_agent").text().take()),
        ];
        // SQLite adds one column per statement.
        for (name, mut column) in added {
            if schema.has_column(TABLE, name).await? {
                continue;
            }
            schema.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        for column in ["created_ip", "user_agent", "last_ip", "last_user_agent"] {
            schema.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
