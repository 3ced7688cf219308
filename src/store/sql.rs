//! The SQL store: accounts, workspaces, sessions, apps and runs, on SQLite, PostgreSQL or MySQL (MariaDB included). The
//! database belongs to this service alone or is shared with Dify.
//!
//! One struct and no trait, because there is one implementation. SeaORM's types stay inside; results are the domain's
//! types. Every call has a time limit; a call that exceeds it fails with `service_unavailable`.

mod accounts;
pub(crate) mod api_tokens;
mod app_access;
mod app_enabled;
mod app_export;
mod app_import;
mod app_rows;
mod app_secrets;
mod apps;
mod browser_session_list;
mod browser_sessions;
mod columns;
mod connect_error;
mod connection;
mod connections;
mod console_apps;
mod conversations;
mod db_uuid;
mod deletion;
mod dify_tables;
mod disk;
mod drafts;
mod driver_error;
mod end_users;
mod entity;
pub(crate) mod error;
pub(crate) mod error_kind;
mod human_forms;
mod identity;
mod members;
pub(crate) mod migrate;
mod migrate_sql;
mod mint;
mod not_found;
mod operator_events;
mod pool;
mod primary;
mod render;
mod rendered;
mod retention;
mod retry;
mod revoke;
mod runs;
mod session_details;
mod session_limit;
mod session_name;
mod sessions;
mod setup;
mod sql_pool;
mod sql_store;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod timeout;
mod timestamp;
mod tokens;
mod upload_files;
mod workspaces;

pub use connection::SqlOptions;
pub use sql_store::SqlStore;
