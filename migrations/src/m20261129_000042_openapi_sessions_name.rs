//! `openapi_sessions`: the name that a person gave a session. The label of the device stays as it is, because it
//! decides which session a new sign-in of the device replaces.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
};

const TABLE: &str = "openapi_sessions";
const COLUMN: &str = "name";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        if schema.has_column(TABLE, COLUMN).await? {
            return Ok(());
        }
        let mut column = Columns::varchar(COLUMN, 255);
        schema.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        schema.alter_table(Table::alter().table(TABLE).drop_column(COLUMN).take()).await
    }
}
