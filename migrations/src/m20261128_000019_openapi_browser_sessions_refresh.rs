//! `openapi_browser_sessions`: the refresh token before the current one, which is accepted for some seconds more, and
//! the time of the refresh.

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
        let columns = Columns::of(schema.backend());
        let added = [
            ("previous_refresh_hash", Columns::varchar("previous_refresh_hash", 64)),
            ("refreshed_at", columns.timestamptz("refreshed_at")),
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
        for column in ["previous_refresh_hash", "refreshed_at"] {
            schema.alter_table(Table::alter().table(TABLE).drop_column(column).take()).await?;
        }
        Ok(())
    }
}
