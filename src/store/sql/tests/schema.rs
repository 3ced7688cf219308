//! Migrations, connections and errors.

use dify_openapi_migrations::{ChangeState, CompatibleVersion};
use sea_orm::DbBackend;

use super::{super::migrate::RevertRange, *};
use crate::domain::{
    account::AccountStatus,
    error::{Code, Error},
};

conformance!(
    standalone_schema_migrates_up_down_and_up_again,
    beside_dify_only_own_tables_are_created_and_dropped,
    concurrent_migrators_both_succeed,
    version_before_newer_migrations_works_unless_they_end_its_compatibility,
    migrations_after_a_named_one_are_reverted,
    printed_sql_does_what_the_migrations_do,
    missing_dify_table_names_its_migration,
    errors_contain_no_values,
);

#[tokio::test]
async fn full_and_read_only_sqlite_is_an_outage() {
    // One connection, so that its pragmas apply to all calls.
    let sql = open("sqlite::memory:".to_owned()).await;
    sql.migrate_up(false).await.unwrap();
    sql.check_writable().await.unwrap();
    sql.db.execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let long = format!("INSERT INTO openapi_schema_versions VALUES ('{}', '')", "x".repeat(1 << 20));
    let error = Error::from(sql.db.execute_unprepared(&long).await.unwrap_err());
    assert_eq!(error.code(), Code::ServiceUnavailable, "{error:?}");
    sql.db.execute_unprepared("PRAGMA query_only = on").await.unwrap();
    assert_eq!(sql.check_writable().await.unwrap_err().code(), Code::ServiceUnavailable);
    sql.db.execute_unprepared("PRAGMA query_only = off").await.unwrap();
    sql.check_writable().await.unwrap();
}

async fn tables(sql: &SqlStore) -> Vec<String> {
    let query = match sql.backend {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1",
        DbBackend::MySql => {
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = database() \
             ORDER BY BINARY table_name"
        }
        _ => "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    };
    let rows = sql.db.query_all_raw(Statement::from_string(sql.backend, query)).await.unwrap();
    rows.iter().map(|row| row.try_get_by("name").unwrap()).collect()
}

async fn standalone_schema_migrates_up_down_and_up_again(sql: SqlStore) {
    assert_eq!(sql.pending_migrations(false).await.unwrap().len(), 32);
    assert!(tables(&sql).await.is_empty(), "listing pending migrations creates no table");
    sql.migrate_up(false).await.unwrap();
    let made = tables(&sql).await;
    assert_eq!(
        made,
        [
            "accounts",
            "api_tokens",
            "app_model_configs",
            "apps",
            "conversations",
            "dify_setups",
            "end_users",
            "messages",
            "oauth_access_tokens",
            "openapi_app_access",
            "openapi_app_access_accounts",
            "openapi_browser_sessions",
            "openapi_connection_providers",
            "openapi_connections",
            "openapi_conversation_variables",
            "openapi_human_forms",
            "openapi_migrations",
            "openapi_operator_events",
            "openapi_schema_versions",
            "openapi_sessions",
            "openapi_spent_refresh_tokens",
            "tag_bindings",
            "tags",
            "tenant_account_joins",
            "tenants",
            "tool_builtin_providers",
            "tool_oauth_system_clients",
            "tool_oauth_tenant_clients",
            "upload_files",
            "workflow_runs",
            "workflows"
        ]
    );
    let last = ["m20261129_000045_openapi_sessions_last_origin"];
    assert_eq!(sql.migrate_down(false, RevertRange::Last).await.unwrap(), last);
    assert_eq!(sql.pending_migrations(false).await.unwrap(), last);
    sql.migrate_down(false, RevertRange::All).await.unwrap();
    assert_eq!(tables(&sql).await, ["openapi_migrations"]);
    sql.migrate_up(false).await.unwrap();
    sql.migrate_up(false).await.unwrap();
    assert_eq!(tables(&sql).await, made);
    assert!(!sql.has_pending_migrations(false).await.unwrap());
    let alice = create_account(&sql, "alice@example.com").await;
    sql.mint(&new_session(&alice, "laptop", start())).await.unwrap();
}

async fn beside_dify_only_own_tables_are_created_and_dropped(sql: SqlStore) {
    assert!(!sql.is_dify_database().await.unwrap());
    execute(&sql, "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)").await;
    assert!(sql.is_dify_database().await.unwrap());
    sql.migrate_up(true).await.unwrap();
    let made = tables(&sql).await;
    assert!(made.iter().all(|name| name == "alembic_version" || name.starts_with("openapi_")), "{made:?}");
    sql.migrate_down(true, RevertRange::All).await.unwrap();
    assert_eq!(tables(&sql).await, ["alembic_version", "openapi_migrations"]);
    // In Dify's database, migrating down as a standalone server does not drop Dify's tables either.
    sql.migrate_up(false).await.unwrap();
    sql.migrate_down(false, RevertRange::All).await.unwrap();
    assert!(tables(&sql).await.contains(&"accounts".to_owned()));
}

async fn concurrent_migrators_both_succeed(sql: SqlStore) {
    let (one, two) = tokio::join!(sql.migrate_up(false), sql.migrate_up(false));
    one.unwrap();
    two.unwrap();
    assert!(!sql.has_pending_migrations(false).await.unwrap());
}

/// Simulates the next release: it has applied a migration that this version does not have.
async fn apply_newer_migration(sql: &SqlStore, oldest_compatible: &str) {
    execute(sql, "INSERT INTO openapi_migrations (version, applied_at) VALUES ('m20991231_000001_next', 0)").await;
    let version =
        format!("UPDATE openapi_schema_versions SET migrated_by = '9.0.0', oldest_compatible = '{oldest_compatible}'");
    execute(sql, &version).await;
}

#[track_caller]
fn assert_caused_by(error: &Error, part: &str) {
    let cause = std::error::Error::source(error).expect("a cause").to_string();
    assert!(cause.contains(part), "{cause}");
}

async fn version_before_newer_migrations_works_unless_they_end_its_compatibility(sql: SqlStore) {
    for beside_dify in [false, true] {
        assert!(sql.check_schema(beside_dify).await.is_err(), "migrations are pending");
        sql.migrate_up(beside_dify).await.unwrap();
        sql.check_schema(beside_dify).await.unwrap();

        apply_newer_migration(&sql, "0.0.1").await;
        sql.check_schema(beside_dify).await.unwrap();
        assert_eq!(sql.migrate_up(beside_dify).await.unwrap(), [""; 0], "nothing is pending");
        let changes = sql.schema_changes(beside_dify).await.unwrap();
        assert_eq!(changes.last().unwrap(), &("m20991231_000001_next".to_owned(), ChangeState::Newer));
        let refused = sql.migrate_down(beside_dify, RevertRange::Last).await.unwrap_err();
        assert_caused_by(&refused, "version 9.0.0");

        execute(&sql, "UPDATE openapi_schema_versions SET oldest_compatible = '8.1.0'").await;
        let refused = sql.check_schema(beside_dify).await.unwrap_err();
        assert_caused_by(&refused, "an image of version 8.1.0 or later");

        execute(&sql, "DELETE FROM openapi_migrations WHERE version LIKE 'm2099%'").await;
        sql.check_schema(beside_dify).await.unwrap();
        sql.migrate_down(beside_dify, RevertRange::All).await.unwrap();
    }
}

/// A pending migration of this version is applied beside the newer ones, and the row of the newer version stays.
#[tokio::test]
async fn pending_migration_is_applied_beside_newer_ones() {
    let sql = open("sqlite::memory:".to_owned()).await;
    sql.migrate_up(false).await.unwrap();
    apply_newer_migration(&sql, "0.1.0").await;
    execute(&sql, "DELETE FROM openapi_migrations WHERE version LIKE '%_openapi_schema_versions'").await;
    assert_eq!(sql.migrate_up(false).await.unwrap(), ["m20261128_000022_openapi_schema_versions"]);
    let version = CompatibleVersion::find(&sql.schema_manager().await.unwrap()).await.unwrap().unwrap();
    assert_eq!((version.migrated_by.as_str(), version.oldest.as_str()), ("9.0.0", "0.1.0"));
}

async fn migrations_after_a_named_one_are_reverted(sql: SqlStore) {
    let applied = sql.migrate_up(false).await.unwrap();
    let refused = sql.migrate_down(false, RevertRange::After("m2026_unknown")).await.unwrap_err();
    assert_caused_by(&refused, "migrate status");
    let mut reverted = sql.migrate_down(false, RevertRange::After(&applied[16])).await.unwrap();
    reverted.reverse();
    assert_eq!(reverted, applied[17..]);
    assert_eq!(sql.pending_migrations(false).await.unwrap(), applied[17..]);
}

async fn missing_dify_table_names_its_migration(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    sql.check_dify_tables(true).await.unwrap();
    for (table, migration) in [("workflows", "b289e2408ee2"), ("oauth_access_tokens", "d4a5e1f3c9b7")] {
        execute(&sql, &format!("DROP TABLE {table}")).await;
        let message = sql.check_dify_tables(true).await.unwrap_err().message().to_owned();
        assert!(message.contains(table) && message.contains(migration), "{message}");
    }
}

async fn errors_contain_no_values(sql: SqlStore) {
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    sql.mint(&new).await.unwrap();
    let mut same_hash = new_session(&alice, "desktop", start());
    same_hash.hash = new.hash.clone();
    let conflict = sql.mint(&same_hash).await.unwrap_err();
    assert_eq!(conflict.code(), Code::InternalServerError);
    let printed = format!("{conflict:?}");
    assert!(!printed.contains(new.hash.expose()) && !printed.contains("example.com"), "{printed}");
    sql.clone().close().await.unwrap();
    assert_eq!(sql.ping().await.unwrap_err().code(), Code::ServiceUnavailable);
    assert_eq!(sql.find_token(&new.hash).await.unwrap_err().code(), Code::ServiceUnavailable);
}

#[tokio::test]
async fn rendered_statements_use_indexes() {
    let sql = open("sqlite::memory:".to_owned()).await;
    migrate_with_account(&sql).await;
    let login = sea_orm::sea_query::Query::select()
        .column(super::super::entity::account::Column::Name)
        .from(super::super::entity::account::Entity)
        .and_where(sql.has_email("alice@example.com"))
        .take();
    let statements = [
        Statement::from_string(sql.backend, login.to_string(sea_orm::sea_query::SqliteQueryBuilder)),
        sql.statement(&sql.rendered.find_token, ["x".into()]),
        sql.statement(&sql.rendered.find_account_view, ["x".into()]),
        sql.statement(&sql.rendered.confirm_minted, ["x".into(), "x".into(), start().into()]),
        sql.statement(&sql.rendered.find_browser_session, ["x".into(), "x".into(), start().into()]),
    ];
    for mut statement in statements {
        statement.sql.insert_str(0, "EXPLAIN QUERY PLAN ");
        for row in sql.db.query_all_raw(statement).await.unwrap() {
            let step: String = row.try_get_by("detail").unwrap();
            assert!(!step.starts_with("SCAN"), "{step}");
        }
    }
}

#[tokio::test]
async fn unsupported_connection_string_is_not_quoted() {
    let options = SqlOptions::new(Secret::new("oracle://u:hidden@db/x"), 1, test_keys());
    let error = SqlStore::connect(options).await.unwrap_err();
    assert_eq!(error.code(), Code::InternalServerError);
    assert!(!format!("{error:?}").contains("hidden"));
}

#[tokio::test]
async fn database_in_memory_works() {
    let sql = open("sqlite::memory:".to_owned()).await;
    let alice = migrate_with_account(&sql).await;
    assert!(sql.find_account_view(account_id(&alice)).await.unwrap().is_some());
}

#[tokio::test]
async fn unreachable_server_is_service_unavailable() {
    let options = SqlOptions::new(Secret::new("postgres://u:hidden@127.0.0.1:1/x"), 1, test_keys());
    let error = SqlStore::connect(options).await.unwrap_err();
    assert_eq!(error.code(), Code::ServiceUnavailable);
    assert!(!format!("{error:?}").contains("hidden"));
}

/// Handlers run on any thread, so the future of every call has to be `Send`.
#[tokio::test]
async fn futures_of_calls_are_send() {
    let sql = open("sqlite::memory:".to_owned()).await;
    let alice = migrate_with_account(&sql).await;
    let new = new_session(&alice, "laptop", start());
    let task = tokio::spawn(async move {
        sql.mint(&new).await.unwrap();
        sql.switch_workspace(account_id(&alice), crate::domain::id::WorkspaceId(Uuid::nil()), start()).await.unwrap();
        sql.list_sessions(&alice, crate::domain::page::PageRequest { page: 1, limit: 1 }, start()).await.unwrap();
        sql.revoke_by_hash(&new.hash, start()).await.unwrap();
        sql.delete_ended_sessions(later(1), 10).await.unwrap();
        sql.set_account_status("alice@example.com", AccountStatus::Banned, start()).await.unwrap();
        sql.migrate_down(false, RevertRange::All).await.unwrap();
    });
    task.await.unwrap();
}

/// The columns and indexes of all tables, one a line.
async fn structure(sql: &SqlStore) -> Vec<String> {
    let query = match sql.backend {
        DbBackend::Sqlite => "SELECT sql AS line FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1",
        DbBackend::MySql => {
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, column_default) AS line \
             FROM information_schema.columns WHERE table_schema = database() \
             UNION SELECT CONCAT_WS(' ', table_name, index_name, non_unique, seq_in_index, column_name) \
             FROM information_schema.statistics WHERE table_schema = database() ORDER BY 1"
        }
        _ => {
            "SELECT CONCAT_WS(' ', table_name, column_name, data_type, is_nullable, column_default) AS line \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
        }
    };
    let rows = sql.db.query_all_raw(Statement::from_string(sql.backend, query)).await.unwrap();
    rows.iter().map(|row| row.try_get_by("line").unwrap()).collect()
}

async fn printed_sql_does_what_the_migrations_do(sql: SqlStore) {
    let now = "2026-11-29T12:00:00Z".parse().unwrap();
    let names = sql.pending_migrations(false).await.unwrap();
    let script = sql.migrate_up_sql(false, now).await.unwrap();
    assert!(tables(&sql).await.is_empty(), "printing executes nothing");
    assert!(names.iter().all(|name| script.contains(&format!("\n-- {name}\n"))), "{script}");
    sql.db.execute_unprepared(&script).await.unwrap();
    sql.check_schema(false).await.unwrap();
    assert!(CompatibleVersion::find(&sql.schema_manager().await.unwrap()).await.unwrap().is_some());
    assert_eq!(sql.migrate_up_sql(false, now).await.unwrap(), "");
    let by_hand = structure(&sql).await;

    let kept = RevertRange::After(&names[names.len() - 5]);
    let script = sql.migrate_down_sql(false, kept).await.unwrap();
    assert_eq!(structure(&sql).await, by_hand, "printing executes nothing");
    sql.db.execute_unprepared(&script).await.unwrap();
    assert_eq!(sql.pending_migrations(false).await.unwrap(), names[names.len() - 4..]);
    let partial = structure(&sql).await;
    sql.migrate_up(false).await.unwrap();
    sql.migrate_down(false, kept).await.unwrap();
    assert_eq!(structure(&sql).await, partial);

    let script = sql.migrate_down_sql(false, RevertRange::All).await.unwrap();
    sql.db.execute_unprepared(&script).await.unwrap();
    assert_eq!(tables(&sql).await, ["openapi_migrations"]);
    assert_eq!(sql.migrate_down_sql(false, RevertRange::All).await.unwrap(), "");
    sql.migrate_up(false).await.unwrap();
    assert_eq!(structure(&sql).await, by_hand);
}
