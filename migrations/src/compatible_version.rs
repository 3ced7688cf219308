//! Which versions of this service work on the schema: one row, written by the version that migrated last.
//!
//! Migrations only add, so an older version usually works on the schema of a newer one. A release whose migrations
//! end that, because it removes what an older version reads, raises [`OLDEST_COMPATIBLE`].

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

use crate::editor::SchemaEditor;

pub const SCHEMA_VERSION_TABLE: &str = "openapi_schema_versions";

/// The oldest version that works on the schema of this one.
pub const OLDEST_COMPATIBLE: &str = "0.1.0";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompatibleVersion {
    /// The version that migrated last.
    pub migrated_by: String,
    /// The oldest version that works on the schema.
    pub oldest: String,
}

impl CompatibleVersion {
    /// `None` in a database that was migrated before the row existed.
    pub async fn find(database: &SchemaManager<'_>) -> Result<Option<Self>, DbErr> {
        if !database.has_table(SCHEMA_VERSION_TABLE).await? {
            return Ok(None);
        }
        let row = Query::select().columns(["migrated_by", "oldest_compatible"]).from(SCHEMA_VERSION_TABLE).take();
        let row = database.get_connection().query_one(&row).await?;
        row.map(|row| Ok(Self { migrated_by: row.try_get_by_index(0)?, oldest: row.try_get_by_index(1)? })).transpose()
    }

    /// Replaces the row. Does nothing when the table is missing.
    pub async fn replace(&self, database: &SchemaManager<'_>) -> Result<(), DbErr> {
        let schema = SchemaEditor::executing(database);
        if schema.has_table(SCHEMA_VERSION_TABLE).await? { self.write(&schema).await } else { Ok(()) }
    }

    /// Writes the row in place of the one before.
    pub(crate) async fn write(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        schema.execute(&Query::delete().from_table(SCHEMA_VERSION_TABLE).take()).await?;
        let row = Query::insert()
            .into_table(SCHEMA_VERSION_TABLE)
            .columns(["migrated_by", "oldest_compatible"])
            .values_panic([self.migrated_by.as_str().into(), self.oldest.as_str().into()])
            .take();
        schema.execute(&row).await
    }
}
