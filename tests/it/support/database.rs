//! Direct access to the databases: rows that operators or identity providers would write, and dumps.

use std::fmt::Write as _;

use dify_openapi::testing::domain::{BearerToken, SubjectType};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::{Stores, TestServer};
use dify_openapi::testing::ports::Clock as _;

/// The issuer of external identities in tests.
pub const ISSUER: &str = "https://idp.example";

/// A row of the token table.
pub struct TokenRow<'a> {
    pub subject_type: SubjectType,
    pub account_id: Option<&'a str>,
    pub email: &'a str,
    /// The device's label; a subject has one live row per label.
    pub label: &'a str,
    /// Seconds until the expiry; negative for an expired token.
    pub expires_in: i64,
    /// Whether it was revoked a minute ago.
    pub revoked: bool,
}

/// A new connection.
pub async fn connect(server: &TestServer) -> DatabaseConnection {
    Database::connect(server.variable("DATABASE_URL")).await.unwrap()
}

/// Runs one statement and returns the number of affected rows.
pub async fn execute(server: &TestServer, statement: &str) -> u64 {
    let connection = connect(server).await;
    let changed = connection.execute_unprepared(statement).await.unwrap().rows_affected();
    connection.close().await.unwrap();
    changed
}

/// Runs a statement at a URL.
pub async fn execute_at(url: &str, statement: &str) {
    let connection = Database::connect(url).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// The only value that a query gives at a URL.
pub async fn scalar(url: &str, query: &str) -> String {
    let connection = Database::connect(url).await.unwrap();
    let statement = Statement::from_string(connection.get_database_backend(), query);
    let row = connection.query_one_raw(statement).await.unwrap().unwrap();
    let value = row.try_get_by_index(0).unwrap();
    connection.close().await.unwrap();
    value
}

/// The text of the first column of the first row.
pub async fn text(server: &TestServer, query: &str) -> Option<String> {
    let connection = connect(server).await;
    let backend = connection.get_database_backend();
    // MySQL casts to `char`; elsewhere `char` has a length.
    let query = if backend == DbBackend::MySql { query.replace(" AS text)", " AS char)") } else { query.to_owned() };
    let statement = Statement::from_string(backend, query);
    let row = connection.query_one_raw(statement).await.unwrap();
    let found = row.and_then(|row| row.try_get_by_index::<Option<String>>(0).unwrap());
    connection.close().await.unwrap();
    found
}

/// The number of rows of `table WHERE condition`.
pub async fn count(server: &TestServer, table_and_condition: &str) -> i64 {
    let query = format!("SELECT CAST(count(*) AS text) FROM {table_and_condition}");
    text(server, &query).await.unwrap().parse().unwrap()
}

/// The id of the account with this email.
pub async fn account_id(server: &TestServer, email: &str) -> String {
    let query = format!("SELECT CAST(id AS text) FROM accounts WHERE email = '{email}'");
    text(server, &query).await.unwrap()
}

/// Inserts a token row. Returns the token and the row's id.
pub async fn insert_token(server: &TestServer, row: &TokenRow<'_>) -> (String, String) {
    let token = BearerToken::mint(row.subject_type, &rand::random());
    let id = uuid::Uuid::now_v7().to_string();
    let now = server.clock.now();
    // MariaDB does not read offsets.
    let format =
        if server.variable("DATABASE_URL").starts_with("mysql:") { "'%F %T'" } else { "'%Y-%m-%dT%H:%M:%S+00:00'" };
    let time = |seconds: i64| (now + chrono::TimeDelta::seconds(seconds)).format(format).to_string();
    let account = row.account_id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
    let issuer = match row.subject_type {
        SubjectType::Account => "dify:account",
        SubjectType::ExternalSso => ISSUER,
    };
    let statement = format!(
        "INSERT INTO oauth_access_tokens (id, subject_email, subject_issuer, account_id, client_id, device_label, \
         prefix, token_hash, created_at, expires_at, revoked_at) \
         VALUES ('{id}', '{}', '{issuer}', {account}, 'difyctl', '{}', '{}', \
         {}, {}, {}, {})",
        row.email,
        row.label,
        row.subject_type.token_prefix(),
        if row.revoked { "NULL".to_owned() } else { format!("'{}'", token.hash().expose()) },
        time(-120),
        time(row.expires_in),
        if row.revoked { time(-60) } else { "NULL".to_owned() },
    );
    assert_eq!(execute(server, &statement).await, 1);
    (token.expose().to_owned(), id)
}

/// Inserts an active token of an external identity.
pub async fn external_token(server: &TestServer, email: &str, label: &str) -> (String, String) {
    let row = TokenRow {
        subject_type: SubjectType::ExternalSso,
        account_id: None,
        email,
        label,
        expires_in: 3_600,
        revoked: false,
    };
    insert_token(server, &row).await
}

/// Every row of every table as text.
pub async fn dump(server: &TestServer) -> String {
    let connection = connect(server).await;
    let backend = connection.get_database_backend();
    let tables = match backend {
        DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        DbBackend::MySql => "SELECT table_name FROM information_schema.tables WHERE table_schema = database()",
        _ => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut dump = String::new();
    for table in column(&connection, backend, tables).await {
        let row = match backend {
            DbBackend::Sqlite => {
                let columns =
                    column(&connection, backend, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
                let columns: Vec<_> =
                    columns.iter().map(|name| format!("'{name}=' || coalesce(CAST(\"{name}\" AS text), '')")).collect();
                format!("SELECT {} FROM \"{table}\"", columns.join(" || '; ' || "))
            }
            DbBackend::MySql => {
                let columns = format!(
                    "SELECT column_name FROM information_schema.columns WHERE table_schema = database() \
                     AND table_name = '{table}'"
                );
                let columns = column(&connection, backend, &columns).await;
                let columns: Vec<_> =
                    columns.iter().map(|name| format!("'{name}=', coalesce(CAST(`{name}` AS char), '')")).collect();
                format!("SELECT concat({}) FROM `{table}`", columns.join(", '; ', "))
            }
            _ => format!("SELECT row_to_json(t)::text FROM \"{table}\" t"),
        };
        for text in column(&connection, backend, &row).await {
            writeln!(dump, "{table}: {text}").unwrap();
        }
    }
    connection.close().await.unwrap();
    dump
}

async fn column(connection: &DatabaseConnection, backend: DbBackend, query: &str) -> Vec<String> {
    let rows = connection.query_all_raw(Statement::from_string(backend, query.to_owned())).await.unwrap();
    rows.iter().filter_map(|row| row.try_get_by_index::<Option<String>>(0).unwrap()).collect()
}

/// Every Redis key of this test with its value as text; empty without Redis.
pub async fn dump_redis(server: &TestServer) -> String {
    match &server.stores {
        Stores::Servers { prefix, .. } => dump_redis_keys(server, &format!("*{prefix}*")).await,
        Stores::Sqlite => String::new(),
    }
}

/// The Redis keys that match a pattern, with their values as text; empty without Redis.
pub async fn dump_redis_keys(server: &TestServer, pattern: &str) -> String {
    let Stores::Servers { redis, .. } = &server.stores else { return String::new() };
    let client = redis::Client::open(redis.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    let mut dump = String::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap();
        let mut read = match kind.as_str() {
            "hash" => redis::cmd("HGETALL"),
            "string" => redis::cmd("GET"),
            "set" => redis::cmd("SMEMBERS"),
            "list" => redis::cmd("LRANGE"),
            "zset" => redis::cmd("ZRANGE"),
            "stream" => redis::cmd("XRANGE"),
            "none" => continue,
            other => panic!("{key} is a {other}"),
        };
        read.arg(&key);
        match kind.as_str() {
            "list" | "zset" => read.arg(0).arg(-1),
            "stream" => read.arg("-").arg("+"),
            _ => &mut read,
        };
        let value: redis::RedisResult<redis::Value> = read.query_async(&mut connection).await;
        writeln!(dump, "{key} = {}", readable(&value.unwrap())).unwrap();
    }
    dump
}

/// A value as text; invalid UTF-8 is replaced.
fn readable(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::SimpleString(text) => text.clone(),
        redis::Value::Array(items) => items.iter().map(readable).collect::<Vec<_>>().join(" | "),
        redis::Value::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| format!("{}={}", readable(key), readable(value)))
            .collect::<Vec<_>>()
            .join(" | "),
        other => format!("{other:?}"),
    }
}
