//! Columns that are added later, dropping of tables, and the protection of Dify's tables.

use sea_orm_migration::prelude::*;

use crate::editor::SchemaEditor;

/// The table in which Dify stores its schema version. In a database that has it, Dify's tables are never dropped.
pub const DIFY_VERSION_TABLE: &str = "alembic_version";

/// Whether one of Dify's tables has to be created. An existing one is not changed.
pub(crate) async fn is_missing(schema: &SchemaEditor<'_>, table: &str) -> Result<bool, DbErr> {
    Ok(!schema.has_table(table).await?)
}

/// Drops one of Dify's tables, unless Dify manages this database.
pub(crate) async fn drop_shared(schema: &SchemaEditor<'_>, table: &'static str) -> Result<(), DbErr> {
    if schema.has_table(DIFY_VERSION_TABLE).await? {
        return Ok(());
    }
    drop_own(schema, table).await
}

/// Drops a table that only this service uses.
pub(crate) async fn drop_own(schema: &SchemaEditor<'_>, table: &'static str) -> Result<(), DbErr> {
    schema.drop_table(Table::drop().table(table).if_exists().take()).await
}

/// Adds those of these columns that the table does not have.
pub(crate) async fn add_columns(
    schema: &SchemaEditor<'_>,
    table: &'static str,
    columns: impl IntoIterator<Item = ColumnDef>,
) -> Result<(), DbErr> {
    // SQLite adds one column per statement.
    for mut column in columns {
        if !schema.has_column(table, &column.get_column_name()).await? {
            schema.alter_table(Table::alter().table(table).add_column(&mut column).take()).await?;
        }
    }
    Ok(())
}

/// Drops columns that only this service uses.
pub(crate) async fn drop_columns(
    schema: &SchemaEditor<'_>,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    for column in columns {
        schema.alter_table(Table::alter().table(table).drop_column(*column).take()).await?;
    }
    Ok(())
}
