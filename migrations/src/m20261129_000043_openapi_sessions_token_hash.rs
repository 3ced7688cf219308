//! `openapi_sessions`: the hash of a session's token, which `oauth_access_tokens` erases at the session's end. With it
//! any replica can invalidate the token's entry in the shared cache.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
};

const TABLE: &str = "openapi_sessions";
const COLUMN: &str = "token_hash";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        if schema.has_column(TABLE, COLUMN).await? {
            return Ok(());
        }
        let mut column = Columns::varchar(COLUMN, 64);
        column.null();
        schema.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        schema.alter_table(Table::alter().table(TABLE).drop_column(COLUMN).take()).await
    }
}
