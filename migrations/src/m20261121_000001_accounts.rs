//! `accounts`, as Dify creates it, with a unique index on email addresses, compared without case.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::{drop_shared, is_missing},
};

const TABLE: &str = "accounts";

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
            .col(Columns::varchar("name", 255).not_null())
            .col(Columns::varchar("email", 255).not_null())
            .col(Columns::varchar("password", 255))
            .col(Columns::varchar("password_salt", 255))
            .col(Columns::varchar("avatar", 255))
            .col(Columns::varchar("interface_language", 255))
            .col(Columns::varchar("interface_theme", 255))
            .col(Columns::varchar("timezone", 255))
            .col(columns.timestamp("last_login_at"))
            .col(Columns::varchar("last_login_ip", 255))
            .col(Columns::varchar("status", 16).not_null().default("active"))
            .col(columns.timestamp("initialized_at"))
            .col(columns.timestamp_now("created_at"))
            .col(columns.timestamp_now("updated_at"))
            .col(columns.timestamp_now("last_active_at"))
            .primary_key(Index::create().name("account_pkey").col("id"));
        schema.create_table(table).await?;
        schema.create_index(Index::create().name("account_email_idx").table(TABLE).col("email").take()).await?;
        // MySQL's default collations compare without case.
        let key = if columns.is_mysql() { "email" } else { "lower(email)" };
        let unique = format!("CREATE UNIQUE INDEX accounts_email_lower_key ON accounts ({key})");
        schema.execute_unprepared(&unique).await?;
        Ok(())
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_shared(schema, TABLE).await
    }
}
