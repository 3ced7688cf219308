//! The schema, as two lists of migrations that only add.
//!
//! A standalone server creates those of Dify's tables that are missing, and its own. Beside Dify only tables named
//! `openapi_…` are created, and Dify's tables are not changed (contract section 1).
//!
//! During a rollout, and after a rollback, an older version works on the schema of a newer one. [`CompatibleVersion`]
//! names the versions that can.

use editor::SchemaChange;

mod column;
mod compatible_version;
mod editor;
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
mod m20261128_000019_openapi_browser_sessions_refresh;
mod m20261128_000020_openapi_app_access;
mod m20261128_000022_openapi_schema_versions;
mod m20261128_000030_tool_oauth_clients;
mod m20261128_000031_tool_builtin_providers;
mod m20261128_000032_openapi_connections;
mod m20261128_000033_upload_files;
mod m20261128_000034_openapi_human_forms;
mod m20261128_000040_dify_setups;
mod m20261129_000041_openapi_browser_sessions_origin;
mod m20261129_000042_openapi_sessions_name;
mod m20261129_000043_openapi_sessions_token_hash;
mod m20261129_000044_openapi_operator_events;
mod m20261129_000045_openapi_sessions_last_origin;
mod newer;
mod schema;
mod sql;
mod table;

pub use compatible_version::{CompatibleVersion, OLDEST_COMPATIBLE, SCHEMA_VERSION_TABLE};
pub use schema::{ChangeState, Schema};
pub use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTraitSelf, SchemaManager};
pub use sql::ChangeSql;
pub use table::DIFY_VERSION_TABLE;

/// Migrations of tables that Dify has, too.
fn shared() -> Vec<Box<dyn SchemaChange>> {
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
        Box::new(m20261128_000030_tool_oauth_clients::Migration),
        Box::new(m20261128_000031_tool_builtin_providers::Migration),
        Box::new(m20261128_000033_upload_files::Migration),
        Box::new(m20261128_000040_dify_setups::Migration),
    ]
}

/// Migrations of tables that only this service uses.
fn own() -> Vec<Box<dyn SchemaChange>> {
    vec![
        Box::new(m20261121_000005_openapi_sessions::Migration),
        Box::new(m20261121_000006_openapi_browser_sessions::Migration),
        Box::new(m20261121_000007_openapi_spent_refresh_tokens::Migration),
        Box::new(m20261121_000018_openapi_conversation_variables::Migration),
        Box::new(m20261128_000019_openapi_browser_sessions_refresh::Migration),
        Box::new(m20261128_000020_openapi_app_access::Migration),
        Box::new(m20261128_000022_openapi_schema_versions::Migration),
        Box::new(m20261128_000032_openapi_connections::Migration),
        Box::new(m20261128_000034_openapi_human_forms::Migration),
        Box::new(m20261129_000041_openapi_browser_sessions_origin::Migration),
        Box::new(m20261129_000042_openapi_sessions_name::Migration),
        Box::new(m20261129_000043_openapi_sessions_token_hash::Migration),
        Box::new(m20261129_000044_openapi_operator_events::Migration),
        Box::new(m20261129_000045_openapi_sessions_last_origin::Migration),
    ]
}
