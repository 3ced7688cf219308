//! Migrations, connections and errors.

use sea_orm::DbBackend;

use super::*;
use crate::domain::{account::AccountStatus, error::Code};

conformance!(
    standalone_schema_migrates_up_down_and_up_again,
    beside_dify_only_own_tables_are_created_and_dropped,
    concurrent_migrators_both_succeed,
    missing_dify_table_names_its_migration,
    errors_contain_no_values,
);

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
    assert_eq!(sql.pending_migrations(false).await.unwrap().len(), 19);
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
            "end_users",
            "messages",
            "oauth_access_tokens",
            "openapi_browser_sessions",
            "openapi_conversation_variables",
            "openapi_migrations",
            "openapi_sessions",
            "openapi_spent_refresh_tokens",
            "tag_bindings",
            "tags",
            "tenant_account_joins",
            "tenants",
            "workflow_runs",
            "workflows"
        ]
    );
    sql.migrate_down(false, Some(1)).await.unwrap();
    assert_eq!(sql.pending_migrations(false).await.unwrap(), ["m20261128_000019_openapi_browser_sessions_refresh"]);
    sql.migrate_down(false, None).await.unwrap();
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
    sql.migrate_down(true, None).await.unwrap();
    assert_eq!(tables(&sql).await, ["alembic_version", "openapi_migrations"]);
    // In Dify's database, migrating down as a standalone server does not drop Dify's tables either.
    sql.migrate_up(false).await.unwrap();
    sql.migrate_down(false, None).await.unwrap();
    assert!(tables(&sql).await.contains(&"accounts".to_owned()));
}

async fn concurrent_migrators_both_succeed(sql: SqlStore) {
    let (one, two) = tokio::join!(sql.migrate_up(false), sql.migrate_up(false));
    one.unwrap();
    two.unwrap();
    assert!(!sql.has_pending_migrations(false).await.unwrap());
}

async fn missing_dify_table_names_its_migration(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    sql.check_dify_tables().await.unwrap();
    for (table, migration) in [("workflows", "b289e2408ee2"), ("oauth_access_tokens", "d4a5e1f3c9b7")] {
        execute(&sql, &format!("DROP TABLE {table}")).await;
        let message = sql.check_dify_tables().await.unwrap_err().message().to_owned();
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
    let options = SqlOptions { url: Secret::new("oracle://u:hidden@db/x"), max_connections: 1, keys: test_keys() };
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
    let options =
        SqlOptions { url: Secret::new("postgres://u:hidden@127.0.0.1:1/x"), max_connections: 1, keys: test_keys() };
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
        sql.migrate_down(false, None).await.unwrap();
    });
    task.await.unwrap();
}
