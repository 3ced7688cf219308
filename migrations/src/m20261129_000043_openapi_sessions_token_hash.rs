//! `openapi_sessions`: the hash of a session's token, which `oauth_access_tokens` erases at the session's end. With it
//! any replica can invalidate the token's entry in the shared cache.

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
        add_columns(schema, TABLE, [Columns::varchar("token_hash", 64).null().take()]).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_columns(schema, TABLE, &["token_hash"]).await
    }
}
