//! The SQL of migrations, which an administrator reviews or executes by hand.

use chrono::{DateTime, Utc};
use dify_openapi_migrations::{ChangeSql, Schema};
use sea_orm::DbBackend;

use super::{
    migrate::{RevertRange, own_version, refuse_newer, revertible},
    sql_store::SqlStore,
};
use crate::domain::error::Result;

impl SqlStore {
    /// What `migrate_up` would execute, as a script that records the changes as applied at `now`. Nothing is executed.
    pub(crate) async fn migrate_up_sql(&self, beside_dify: bool, now: DateTime<Utc>) -> Result<String> {
        let database = self.schema_manager().await?;
        let schema = Schema::read(&database, beside_dify).await?;
        if !schema.has_pending() {
            return Ok(String::new());
        }
        let changes = schema.up_sql(&database, &own_version(), now.timestamp()).await?;
        Ok(script(&changes, self.backend))
    }

    /// What `migrate_down` would execute, as a script. Nothing is executed.
    pub(crate) async fn migrate_down_sql(&self, beside_dify: bool, range: RevertRange<'_>) -> Result<String> {
        let database = self.schema_manager().await?;
        let schema = Schema::read(&database, beside_dify).await?;
        refuse_newer(&schema, &database).await?;
        let count = revertible(&schema, range)?.len();
        let changes = schema.down_sql(&database, &own_version(), count).await?;
        Ok(script(&changes, self.backend))
    }
}

/// One transaction, except on MySQL, which commits every change of a schema by itself. Empty without changes.
fn script(changes: &[ChangeSql], backend: DbBackend) -> String {
    if changes.is_empty() {
        return String::new();
    }
    let blocks: Vec<String> =
        changes.iter().map(|change| format!("-- {}\n{};\n", change.name, change.statements.join(";\n"))).collect();
    let blocks = blocks.join("\n");
    if backend == DbBackend::MySql { blocks } else { format!("BEGIN;\n\n{blocks}\nCOMMIT;\n") }
}
