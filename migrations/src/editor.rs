//! What a migration changes, either executed or collected as SQL.

use std::sync::{Mutex, PoisonError};

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, StatementBuilder},
};

/// One migration: it adds to the schema, and its reversal removes what it added.
#[async_trait::async_trait]
pub(crate) trait SchemaChange: MigrationName + Send + Sync {
    async fn up(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr>;

    async fn down(&self, schema: &SchemaEditor<'_>) -> Result<(), DbErr>;
}

/// Changes a schema. Questions are answered by the database, also while statements are collected.
pub(crate) struct SchemaEditor<'a> {
    database: &'a SchemaManager<'a>,
    /// The statements so far, when they are collected instead of executed.
    collected: Option<Mutex<Vec<String>>>,
}

impl<'a> SchemaEditor<'a> {
    pub(crate) fn executing(database: &'a SchemaManager<'a>) -> Self {
        Self { database, collected: None }
    }

    pub(crate) fn collecting(database: &'a SchemaManager<'a>) -> Self {
        Self { database, collected: Some(Mutex::default()) }
    }

    /// The collected statements, without semicolons.
    pub(crate) fn into_statements(self) -> Vec<String> {
        let collected = self.collected.unwrap_or_default();
        collected.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.database.get_database_backend()
    }

    pub(crate) async fn has_table(&self, table: &str) -> Result<bool, DbErr> {
        self.database.has_table(table).await
    }

    pub(crate) async fn has_column(&self, table: &str, column: &str) -> Result<bool, DbErr> {
        self.database.has_column(table, column).await
    }

    pub(crate) async fn create_table(&self, table: TableCreateStatement) -> Result<(), DbErr> {
        self.execute(&table).await
    }

    pub(crate) async fn create_index(&self, index: IndexCreateStatement) -> Result<(), DbErr> {
        self.execute(&index).await
    }

    pub(crate) async fn alter_table(&self, table: TableAlterStatement) -> Result<(), DbErr> {
        self.execute(&table).await
    }

    pub(crate) async fn drop_table(&self, table: TableDropStatement) -> Result<(), DbErr> {
        self.execute(&table).await
    }

    pub(crate) async fn execute(&self, statement: &impl StatementBuilder) -> Result<(), DbErr> {
        if self.collect(|| self.backend().build(statement).to_string()) {
            return Ok(());
        }
        self.database.get_connection().execute(statement).await.map(|_| ())
    }

    /// For what the query builder cannot express.
    pub(crate) async fn execute_unprepared(&self, sql: &str) -> Result<(), DbErr> {
        if self.collect(|| sql.to_owned()) {
            return Ok(());
        }
        self.database.get_connection().execute_unprepared(sql).await.map(|_| ())
    }

    /// Whether statements are collected; then this one is added.
    fn collect(&self, sql: impl FnOnce() -> String) -> bool {
        let Some(collected) = &self.collected else { return false };
        collected.lock().unwrap_or_else(PoisonError::into_inner).push(sql());
        true
    }
}

/// Lets SeaORM's migrator apply a change.
pub(crate) struct Executed(pub(crate) Box<dyn SchemaChange>);

impl MigrationName for Executed {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Executed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(&SchemaEditor::executing(manager)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(&SchemaEditor::executing(manager)).await
    }
}
