//! Dify's tables that this service reads: their presence in a shared database is checked before the server starts.

use dify_openapi_migrations::DIFY_VERSION_TABLE;

use super::sql_store::SqlStore;
use crate::domain::error::{Code, Error, Result};

/// Dify's first migration.
const DIFY_FIRST: &str = "64b051264f32";
/// Each table with the Dify migration that creates it.
const DIFY_TABLES: [(&str, &str); 15] = [
    ("accounts", DIFY_FIRST),
    ("tenants", DIFY_FIRST),
    ("tenant_account_joins", DIFY_FIRST),
    ("oauth_access_tokens", "d4a5e1f3c9b7"),
    ("apps", DIFY_FIRST),
    ("app_model_configs", DIFY_FIRST),
    ("workflows", "b289e2408ee2"),
    ("tags", "3c7cac9521c6"),
    ("tag_bindings", "3c7cac9521c6"),
    ("api_tokens", DIFY_FIRST),
    ("end_users", DIFY_FIRST),
    ("conversations", DIFY_FIRST),
    ("messages", DIFY_FIRST),
    ("workflow_runs", "b289e2408ee2"),
    ("upload_files", DIFY_FIRST),
];

/// The tables of connections, and the Dify migration that gave them their present columns.
const CONNECTION_TABLES: [(&str, &str); 3] = [
    ("tool_builtin_providers", "71f5020c6470"),
    ("tool_oauth_system_clients", "71f5020c6470"),
    ("tool_oauth_tenant_clients", "71f5020c6470"),
];

impl SqlStore {
    /// Whether Dify manages this database: it has the table `alembic_version`.
    pub async fn is_dify_database(&self) -> Result<bool> {
        self.has_table(DIFY_VERSION_TABLE).await
    }

    /// Fails when one of Dify's tables is missing, and names the migration that creates it. `connections` says whether
    /// those of connections are used.
    pub async fn check_dify_tables(&self, connections: bool) -> Result<()> {
        let optional = CONNECTION_TABLES.iter().filter(|_| connections);
        for (table, migration) in DIFY_TABLES.iter().chain(optional) {
            if !self.has_table(table).await? {
                return Err(Error::new(
                    Code::InternalServerError,
                    format!("Dify's table {table} is missing. It comes with Dify's migration {migration}."),
                )
                .with_hint("Upgrade Dify, or run its migrations (`flask db upgrade`), and start again."));
            }
        }
        Ok(())
    }

    async fn has_table(&self, table: &str) -> Result<bool> {
        self.read(async || self.schema_manager().await?.has_table(table).await).await
    }
}
