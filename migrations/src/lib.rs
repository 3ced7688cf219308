//! The schema, as two lists of add-only changes.
//!
//! A standalone server makes what is missing of Dify's own tables and then its own; beside Dify only the tables
//! prefixed `openapi_` are made, and Dify's are never touched (contract section 1).

use sea_orm_migration::prelude::*;

mod column;
mod m20261121_000001_accounts;
mod m20261121_000002_tenants;
mod m20261121_000003_tenant_account_joins;
mod m20261121_000004_oauth_access_tokens;
mod m20261121_000005_openapi_sessions;
mod m20261121_000006_openapi_browser_sessions;
mod m20261121_000007_openapi_spent_refresh_tokens;
mod m20261121_000008_apps;
mod m20261121_000009_app_model_configs;
mod m20261121_000010_workflows;
mod m20261121_000011_tags;
mod m20261121_000012_tag_bindings;
mod m20261121_000013_api_tokens;
mod m20261121_000014_end_users;
mod m20261121_000015_conversations;
mod m20261121_000016_messages;
mod m20261121_000017_workflow_runs;
mod m20261121_000018_openapi_conversation_variables;

pub use sea_orm_migration::{MigrationStatus, MigratorTrait, SchemaManager};

/// The table that remembers what was applied.
const APPLIED: &str = "openapi_migrations";

/// The table Dify keeps its own schema version in; where it stands, Dify's tables are not ours to drop.
pub const DIFY_VERSION_TABLE: &str = "alembic_version";

/// Changes to tables that Dify has too.
fn shared() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_accounts::Migration),
        Box::new(m20261121_000002_tenants::Migration),
        Box::new(m20261121_000003_tenant_account_joins::Migration),
        Box::new(m20261121_000004_oauth_access_tokens::Migration),
        Box::new(m20261121_000008_apps::Migration),
        Box::new(m20261121_000009_app_model_configs::Migration),
        Box::new(m20261121_000010_workflows::Migration),
        Box::new(m20261121_000011_tags::Migration),
        Box::new(m20261121_000012_tag_bindings::Migration),
        Box::new(m20261121_000013_api_tokens::Migration),
        Box::new(m20261121_000014_end_users::Migration),
        Box::new(m20261121_000015_conversations::Migration),
        Box::new(m20261121_000016_messages::Migration),
        Box::new(m20261121_000017_workflow_runs::Migration),
    ]
}

/// Changes to tables of this service alone.
fn own() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000005_openapi_sessions::Migration),
        Box::new(m20261121_000006_openapi_browser_sessions::Migration),
        Box::new(m20261121_000007_openapi_spent_refresh_tokens::Migration),
        Box::new(m20261121_000018_openapi_conversation_variables::Migration),
    ]
}

/// The schema of a standalone server.
#[derive(Clone, Copy, Debug)]
pub struct Standalone;

#[async_trait::async_trait]
impl MigratorTrait for Standalone {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all: Vec<_> = shared().into_iter().chain(own()).collect();
        // In the order they were written, so that the last one to come is the first one to be taken back.
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }

    fn migration_table_name() -> DynIden {
        APPLIED.into_iden()
    }
}

/// What is added to a database that Dify made.
#[derive(Clone, Copy, Debug)]
pub struct BesideDify;

#[async_trait::async_trait]
impl MigratorTrait for BesideDify {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        own()
    }

    fn migration_table_name() -> DynIden {
        APPLIED.into_iden()
    }
}

/// Whether a table of Dify's has to be made: one that is there already is left exactly as it is.
async fn lacks(manager: &SchemaManager<'_>, table: &str) -> Result<bool, DbErr> {
    Ok(!manager.has_table(table).await?)
}

/// Drops a table that Dify has too, unless this is Dify's database: then it is not ours.
async fn drop_shared(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    if manager.has_table(DIFY_VERSION_TABLE).await? {
        return Ok(());
    }
    drop_own(manager, table).await
}

/// Drops a table of this service.
async fn drop_own(manager: &SchemaManager<'_>, table: &'static str) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(table).if_exists().take()).await
}
