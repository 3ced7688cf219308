//! Dify's schema and data are the same before and after this service runs.

use std::{collections::HashSet, process::Command};

use reqwest::Method;

use super::console::{command, error_line};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Bearer, Device, Dify,
    database::{count, text},
    dify::{self, ALICE, ALICE_ID},
};

/// The output of `pg_dump` without the tables of this service.
fn dump(database: &str, arguments: &[&str]) -> String {
    let output = Command::new("pg_dump")
        .args(["--no-owner", "--exclude-table=openapi_*"])
        .args(arguments)
        .arg(database)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Each dump has a random token in its `\restrict` lines.
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

fn schema(database: &str) -> String {
    dump(database, &["--schema-only"])
}

/// Dify's rows except those of the token table, which both sides write.
fn rows(database: &str) -> String {
    dump(database, &["--data-only", "--exclude-table=oauth_access_tokens"])
}

fn assert_same(after: &str, before: &str, what: &str) {
    if after != before {
        let known: HashSet<_> = before.lines().collect();
        let added = after.lines().filter(|line| !known.contains(line)).collect::<Vec<_>>().join("\n");
        panic!("{what} differs; new lines:\n{added}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_change_only_tables_of_this_service() {
    let Some(stores) = dify::restored_database().await else { return };
    let database = dify::url(&stores);
    let before = (schema(database), rows(database));
    assert!(before.0.contains("CREATE TABLE public.accounts") && before.1.contains(ALICE));
    let up = command(database, &["migrate", "up"]);
    assert!(up.status.success(), "{up:?}");
    assert_same(&schema(database), &before.0, "the schema, migrated");
    assert_same(&rows(database), &before.1, "the data, migrated");
    let dify = Dify::on(stores.clone(), &[]).await;
    let made = text(
        &dify,
        "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE tablename LIKE 'openapi%'",
    );
    assert_eq!(
        made.await.unwrap(),
        "openapi_app_access openapi_app_access_accounts openapi_browser_sessions \
         openapi_connection_providers openapi_connections openapi_conversation_variables \
         openapi_human_forms openapi_migrations openapi_operator_events openapi_schema_versions openapi_sessions \
         openapi_spent_refresh_tokens"
    );
    dify.0.stop().await;
    for _ in 0..4 {
        assert!(command(database, &["migrate", "down", "--yes"]).status.success());
    }
    assert_same(&schema(database), &before.0, "the schema, taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn normal_use_changes_only_the_token_table_of_dify() {
    let Some(stores) = dify::restored_database().await else { return };
    let database = dify::url(&stores).to_owned();
    let before = (schema(&database), rows(&database));
    dify::migrate(&stores).await;
    let dify = Dify::on(stores, &[]).await;
    let browser = dify.browser(ALICE_ID);
    let bearer = Bearer::sign_in_with(&dify, &browser, "laptop").await;
    let again = Bearer::sign_in_with(&dify, &browser, "laptop").await;
    assert_eq!(bearer.token_id, again.token_id);
    for path in ["account", "workspaces", "account/sessions"] {
        assert_eq!(again.get(&format!("/openapi/v1/{path}")).await.0, 200, "{path}");
    }
    for path in ["/device", "/device/sessions"] {
        assert_eq!(browser.bare(Method::GET, path).send().await.unwrap().status(), 200, "{path}");
    }
    let refused = Device::start(&dify, "phone").await;
    assert_eq!(browser.deny(&refused.user_code).await.0, 200);
    assert_eq!(again.delete("/openapi/v1/account/sessions/self").await.0, 200);
    let jobs = dify.running().app.jobs();
    jobs.flush_last_used().await.unwrap();
    dify.advance(365 * 86_400);
    jobs.run_retention(&CancellationToken::new()).await.unwrap();
    assert_eq!(count(&dify, "oauth_access_tokens").await, 0, "all sessions expired a year ago");
    assert_eq!(count(&dify, "openapi_sessions").await, 0);
    dify.0.stop().await;
    assert_same(&schema(&database), &before.0, "the schema");
    assert_same(&rows(&database), &before.1, "the data, passwords and all");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_table_of_dify_stops_the_start_and_names_the_migration() {
    let Some(stores) = dify::restored_database().await else { return };
    let database = dify::url(&stores);
    dify::migrate(&stores).await;
    let connection = sea_orm::Database::connect(database).await.unwrap();
    sea_orm::ConnectionTrait::execute_unprepared(&connection, "DROP TABLE oauth_access_tokens").await.unwrap();
    connection.close().await.unwrap();
    let line = error_line(&command(database, &["serve"]));
    assert!(line.contains("oauth_access_tokens") && line.contains("d4a5e1f3c9b7"), "{line}");
    assert!(line.contains("flask db upgrade"), "the message names the command: {line}");
}
