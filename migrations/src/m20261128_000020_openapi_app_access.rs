//! `openapi_app_access` and `openapi_app_access_accounts`: who may use an app, where no enterprise service decides.

use sea_orm_migration::prelude::*;

use crate::{
    column::Columns,
    editor::{SchemaChange, SchemaEditor},
    table::drop_own,
};

const ACCESS: &str = "openapi_app_access";
const ACCOUNTS: &str = "openapi_app_access_accounts";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl SchemaChange for Migration {
    /// The tables refer to Dify's by id only: a foreign key would add a constraint to Dify's schema.
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        let columns = Columns::of(schema.backend());
        let mut access = Table::create();
        access
            .table(ACCESS)
            .if_not_exists()
            .col(columns.uuid("app_id").not_null())
            .col(Columns::varchar("access_mode", 32).not_null())
            .col(Columns::varchar("changed_by", 255).not_null())
            .col(columns.timestamptz("changed_at").not_null())
            .primary_key(Index::create().name("openapi_app_access_pkey").col("app_id"));
        schema.create_table(access).await?;
        let mut accounts = Table::create();
        accounts
            .table(ACCOUNTS)
            .if_not_exists()
            .col(columns.uuid("app_id").not_null())
            .col(columns.uuid("account_id").not_null())
            .primary_key(Index::create().name("openapi_app_access_accounts_pkey").col("account_id").col("app_id"))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_openapi_app_access_accounts_app_id")
                    .from(ACCOUNTS, "app_id")
                    .to(ACCESS, "app_id")
                    .on_delete(ForeignKeyAction::Cascade),
            );
        schema.create_table(accounts).await?;
        let index = Index::create().name("openapi_app_access_accounts_app_id_idx").table(ACCOUNTS).col("app_id").take();
        schema.create_index(index).await?;
        let index = Index::create().name("openapi_app_access_access_mode_idx").table(ACCESS).col("access_mode").take();
        schema.create_index(index).await
    }

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        drop_own(schema, ACCOUNTS).await?;
        drop_own(schema, ACCESS).await
    }
}
