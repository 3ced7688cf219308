//! A migration that a newer version has applied.

use sea_orm_migration::prelude::*;

use crate::editor::{SchemaChange, SchemaEditor};

/// Stands for the migration in the list, so that the others can be applied. It cannot be reverted here.
pub(crate) struct NewerMigration(String);

impl NewerMigration {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    fn unknown(&self) -> DbErr {
        DbErr::Migration(format!("{} belongs to a newer version; use that version to revert it", self.0))
    }
}

impl MigrationName for NewerMigration {
    fn name(&self) -> &str {
        &self.0
    }
}

#[async_trait::async_trait]
impl SchemaChange for NewerMigration {
    async fn up(&self, _schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        Err(self.unknown())
    }

    async fn down(&self, _schema: &SchemaEditor<'_>) -> Result<(), DbErr> {
        Err(self.unknown())
    }
}
