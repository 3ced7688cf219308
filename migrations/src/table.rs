//! Dropping of tables, and the protection of Dify's tables.

use sea_orm_migration::prelude::*;

/// The table in which Dify stores its schema version. In a database that has it, Dify's tables are never dropped.
pub const DIFY_VERSION_TABLE: &str = "alembic_version";

/// Whether one of Dify's tables has to be created. An existing one is not changed.
pub(crate) async fn is_missing(manager: &SchemaManager<'_>, table: &str) -> Result<bool, DbErr> {
    Ok(!manager.has_table(table).await?)
}

/// Drops one of Dify's tables, unless Dify manages this database.
pub(crate) async fn drop_shared(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    if manager.has_table(DIFY_VERSION_TABLE).await? {
        return Ok(());
    }
    drop_own(manager, table).await
}

/// Drops a table that only this service uses.
pub(crate) async fn drop_own(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(table).if_exists().take()).await
}
