//! `openapi_spent_refresh_tokens`: hashes of used refresh tokens, so that a second use is recognised after any number
//! of rotations.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const TABLE: &str = "openapi_spent_refresh_tokens";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(Columns::varchar("refresh_hash", 64).not_null())
            .col(columns.uuid("session_id").not_null())
            .primary_key(Index::create().name("openapi_spent_refresh_tokens_pkey").col("refresh_hash"))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_openapi_spent_refresh_tokens_session_id")
                    .from(TABLE, "session_id")
                    .to("openapi_browser_sessions", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            );
        schema.create_table(table).await?;
        let index =
            Index::create().name("openapi_spent_refresh_tokens_session_id_idx").table(TABLE).col("session_id").take();
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, TABLE).await
    }
}
