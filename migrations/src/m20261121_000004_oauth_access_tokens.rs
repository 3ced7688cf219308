//! `oauth_access_tokens`, as Dify's migration `d4a5e1f3c9b7` creates it: the sessions.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "oauth_access_tokens";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        if !is_missing(schema, TABLE).await? {
            return Ok(());
        }
        let columns = Columns::of(schema.backend());
        let mut table = Table::create();
        table
            .table(TABLE)
            .if_not_exists()
            .col(columns.id())
            .col(columns.indexed_text("subject_email").not_null())
            .col(columns.indexed_text("subject_issuer"))
            .col(columns.uuid("account_id"))
            .col(Columns::varchar("client_id", 64).not_null())
            .col(columns.indexed_text("device_label").not_null())
            .col(Columns::varchar("prefix", 8).not_null())
            .col(Columns::varchar("token_hash", 64))
            .col(columns.timestamptz_now("created_at"))
            .col(columns.timestamptz("last_used_at"))
            .col(columns.timestamptz("expires_at").not_null())
            .col(columns.timestamptz("revoked_at"))
            .primary_key(Index::create().name("oauth_access_tokens_pkey").col("id"))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_oauth_access_tokens_account_id")
                    .from(TABLE, "account_id")
                    .to("accounts", "id")
                    .on_delete(ForeignKeyAction::SetNull),
            );
        schema.create_table(table).await?;
        schema
            .create_index(
                Index::create()
                    .name("oauth_access_tokens_token_hash_key")
                    .table(TABLE)
                    .col("token_hash")
                    .unique()
                    .take(),
            )
            .await?;
        for mut index in live_row_indexes(&columns) {
            schema.create_index(index.table(TABLE).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}

/// Indexes of live rows. MySQL has no partial indexes: there the indexes cover all rows, and the mint's transaction
/// ensures that live rows are unique.
fn live_row_indexes(columns: &Columns) -> Vec<IndexCreateStatement> {
    let mut account = Index::create().name("idx_oauth_account").col("account_id").take();
    let mut others = vec![
        Index::create().name("idx_oauth_client").col("subject_email").col("client_id").take(),
        Index::create().name("idx_oauth_subject_email").col("subject_email").take(),
        Index::create().name("idx_oauth_token_hash").col("token_hash").take(),
    ];
    if columns.is_mysql() {
        others.push(account);
        return others;
    }
    account.and_where(Expr::col("account_id").is_not_null());
    let mut unique = Index::create();
    unique.name("uq_oauth_active_per_device").unique();
    for column in ["subject_email", "subject_issuer", "client_id", "device_label"] {
        unique.col(column);
    }
    others.extend([account, unique]);
    for index in &mut others {
        index.and_where(Expr::col("revoked_at").is_null());
    }
    others
}
