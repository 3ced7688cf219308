//! `openapi_sessions`: the name that a person gave a session. The label of the device stays as it is, because it
//! decides which session a new sign-in of the device replaces.

use sea_orm_migration::prelude::*;

use crate::column::Columns;

const TABLE: &str = "openapi_sessions";
const COLUMN: &str = "name";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column(TABLE, COLUMN).await? {
            return Ok(());
        }
        let mut column = Columns::varchar(COLUMN, 255);
        manager.alter_table(Table::alter().table(TABLE).add_column(&mut column).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(TABLE).drop_column(COLUMN).take()).await
    }
}
