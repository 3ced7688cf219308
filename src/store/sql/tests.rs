//! One conformance suite for all databases. It always runs on SQLite, and on PostgreSQL and MySQL or MariaDB when
//! `TEST_POSTGRES_URL` and `TEST_MYSQL_URL` name servers on which it may create databases.

use std::{future::Future, sync::Arc};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use sea_orm::{ConnectionTrait, Database, Statement};
use uuid::Uuid;

use super::{SqlOptions, SqlStore};
use crate::domain::{
    caller::ClientAddress,
    id::AccountId,
    key::KeyRing,
    last_use::LastUse,
    request_origin::RequestOrigin,
    secret::{BearerToken, Secret},
    session::{MintedSession, NewSession},
    subject::{Subject, SubjectType},
};

mod accounts;
mod api_tokens;
mod app_access;
mod app_files;
mod apps;
mod browser_sessions;
mod connections;
mod deletion;
mod human_forms;
mod mint;
mod operator_events;
mod runs;
mod schema;
mod sessions;

impl SqlStore {
    /// Writes a new token and commits it.
    async fn mint(&self, new: &NewSession) -> crate::domain::Result<MintedSession> {
        self.begin_mint(new).await?.commit().await
    }
}

/// Declares each function as one test for each database.
macro_rules! conformance {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() { crate::store::sql::tests::on_sqlite(super::$name).await; })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() { crate::store::sql::tests::on_postgres(super::$name).await; })*
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() { crate::store::sql::tests::on_mysql(super::$name).await; })*
        }
    };
}
use conformance;

async fn open(url: String) -> SqlStore {
    let options = SqlOptions::new(Secret::new(url), 12, test_keys());
    SqlStore::connect(options).await.expect("open the database")
}

pub(crate) fn test_keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(Secret::new("a secret of the tests"), Vec::new()))
}

async fn on_sqlite<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    let directory = tempfile::tempdir().expect("create a directory");
    let sql = open(format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display())).await;
    test(sql).await;
}

async fn on_postgres<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    on_server("TEST_POSTGRES_URL", " WITH (FORCE)", test).await;
}

async fn on_mysql<F: Future<Output = ()>>(test: fn(SqlStore) -> F) {
    on_server("TEST_MYSQL_URL", "", test).await;
}

/// Runs a test in a new database on the server of an environment variable, and drops the database afterwards.
async fn on_server<F: Future<Output = ()>>(variable: &str, drop_options: &str, test: fn(SqlStore) -> F) {
    let Ok(maintenance) = std::env::var(variable) else { return };
    let (server, _) = maintenance.rsplit_once('/').expect("the URL ends with a database name");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let admin = Database::connect(&maintenance).await.expect("connect to the server");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("create the database");
    test(open(format!("{server}/{name}")).await).await;
    admin.execute_unprepared(&format!("DROP DATABASE {name}{drop_options}")).await.expect("drop the database");
}

/// The time at which all tests start.
fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).single().expect("a valid date") + TimeDelta::microseconds(123_456)
}

fn later(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// Migrates the database and creates Alice's account.
async fn migrate_with_account(sql: &SqlStore) -> Subject {
    sql.migrate_up(false).await.expect("migrate");
    create_account(sql, "alice@example.com").await
}

async fn create_account(sql: &SqlStore, email: &str) -> Subject {
    let id = sql.create_account(email, "Somebody", None, start()).await.expect("create the account");
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

/// A new token of the subject for a device, valid for one day.
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

/// A use some seconds after the start, from an address and with a program of its own.
fn last_use(seconds: u8) -> LastUse {
    let address = ClientAddress(std::net::Ipv4Addr::new(192, 0, 2, seconds).into());
    LastUse { at: later(seconds.into()), origin: RequestOrigin::new(address, Some(&format!("acme-cli/1.{seconds}"))) }
}

/// Counts rows. `table_and_condition` follows FROM.
pub(crate) async fn count(sql: &SqlStore, table_and_condition: &str) -> i64 {
    let statement = Statement::from_string(sql.backend, format!("SELECT count(*) AS n FROM {table_and_condition}"));
    sql.db.query_one_raw(statement).await.expect("count").expect("a row").try_get_by("n").expect("a number")
}

async fn execute(sql: &SqlStore, statement: &str) {
    sql.db.execute_unprepared(statement).await.expect("execute the statement");
}
