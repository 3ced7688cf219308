//! `openapi_sessions`: the name that a person gave a session. The label of the device stays as it is, because it
//! decides which session a new sign-in of the device replaces.

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
        add_columns(schema, TABLE, [Columns::varchar("name", 255)]).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_columns(schema, TABLE, &["name"]).await
    }
}
