//! One conformance suite, run on SQLite always, and on PostgreSQL and MySQL or MariaDB when `TEST_POSTGRES_URL` and
//! `TEST_MYSQL_URL` name servers on which databases may be made.

use std::future::Future;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use sea_orm::{ConnectionTrait, Database, Statement};
use uuid::Uuid;

use super::{SqlOptions, SqlStore};
use crate::domain::{
    id::AccountId,
    secret::{BearerToken, Secret},
    session::NewSession,
    subject::{Subject, SubjectType},
};

mod accounts;
mod api_tokens;
mod app_files;
mod apps;
mod browser_sessions;
mod mint;
mod runs;
mod schema;
mod sessions;

/// Makes each behaviour a test on every database.
macro_rules! conformance {
    ($($behaviour:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $behaviour() { crate::store::sql::tests::on_sqlite(super::$behaviour).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $behaviour() { crate::store::sql::tests::on_postgres(super::$behaviour).await; })*
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $behaviour() { crate::store::sql::tests::on_mysql(super::$behaviour).await; })*
        }
    };
}
use conformance;

async fn open(url: String) -> SqlStore {
    SqlStore::connect(SqlOptions { url: Secret::new(url), max_connections: 12 }).await.expect("the database opens")
}

async fn on_sqlite<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    let directory = tempfile::tempdir().expect("a directory");
    let sql = open(format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display())).await;
    test(sql).await;
}

async fn on_postgres<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    on_server("TEST_POSTGRES_URL", " WITH (FORCE)", test).await;
}

async fn on_mysql<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    on_server("TEST_MYSQL_URL", "", test).await;
}

/// A database of the test's own on a server that a variable names, dropped afterwards whoever still looks at it.
async fn on_server<F: Future<Output = ()>>(variable: &str, force: &str, test: fn(SqlStore) -> F) {
    let Ok(maintenance) = std::env::var(variable) else { return };
    let (server, _) = maintenance.rsplit_once('/').expect("a URL that ends with a database");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let admin = Database::connect(&maintenance).await.expect("the server answers");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
    test(open(format!("{server}/{name}")).await).await;
    admin.execute_unprepared(&format!("DROP DATABASE {name}{force}")).await.expect("it is dropped");
}

/// A moment all tests start from.
fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).single().expect("a moment") + TimeDelta::microseconds(123_456)
}

fn later(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// A migrated database with one account.
async fn with_account(sql: &SqlStore) -> Subject {
    sql.migrate_up(false).await.expect("it migrates");
    account(sql, "alice@example.com").await
}

async fn account(sql: &SqlStore, email: &str) -> Subject {
    let id = sql.create_account(email, "Somebody", None, start()).await.expect("an account");
    Subject::Account { id, email: email.to_owned() }
}

fn account_id(subject: &Subject) -> AccountId {
    subject.account_id().expect("an account")
}

fn external(email: &str, issuer: &str) -> Subject {
    Subject::ExternalSso { email: email.to_owned(), issuer: issuer.to_owned() }
}

fn token(subject_type: SubjectType) -> BearerToken {
    BearerToken::mint(subject_type, &rand::random())
}

/// A new token of the subject for a device, issued at a moment, good for a day.
fn new_session(subject: &Subject, device: &str, at: DateTime<Utc>) -> NewSession {
    let token = token(subject.subject_type());
    NewSession {
        subject: subject.clone(),
        client_id: "difyctl".to_owned(),
        device_label: device.to_owned(),
        hash: token.hash(),
        display_prefix: token.display_prefix().to_owned(),
        created_at: at,
        expires_at: at + TimeDelta::days(1),
        created_ip: "192.0.2.1".to_owned(),
        user_agent: Some("difyctl/1.0".to_owned()),
    }
}

/// How many rows there are, also for the tests of whoever writes them.
pub(crate) async fn count(sql: &SqlStore, table_and_condition: &str) -> i64 {
    let statement = Statement::from_string(sql.backend, format!("SELECT count(*) AS n FROM {table_and_condition}"));
    sql.db.query_one_raw(statement).await.expect("it counts").expect("a row").try_get_by("n").expect("a number")
}

async fn execute(sql: &SqlStore, statement: &str) {
    sql.db.execute_unprepared(statement).await.expect("it runs");
}
