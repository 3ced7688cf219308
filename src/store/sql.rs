//! The SQL store: accounts, workspaces, sessions, on SQLite, PostgreSQL or MySQL, ours alone or shared with Dify.
//!
//! One struct and no trait, because there is one implementation. SeaORM's types stay inside; what comes out are the
//! domain's. Every call has a time limit, after which it is `service_unavailable`.

use std::{fmt, future::Future, num::NonZero, sync::Arc, thread, time::Duration};

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use dify_openapi_migrations::{DIFY_VERSION_TABLE, SchemaManager};
use sea_orm::{
    ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, QueryResult, SqliteTransactionMode, Statement, StatementBuilder, TransactionOptions,
    TransactionTrait, Value, Values,
    sea_query::{BinOper, Expr, LockType, SimpleExpr},
    sqlx::{
        self, Connection, Executor,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::sync::Semaphore;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::domain::{Code, Error, Result, secret::Secret};

mod accounts;
pub(crate) mod api_tokens;
mod app_export;
mod app_import;
mod apps;
mod browser_sessions;
mod conversations;
mod db_uuid;
mod end_users;
mod entity;
pub(crate) mod error;
mod hot;
mod identity;
mod migrate;
mod mint;
mod retention;
mod revoke;
mod runs;
mod sessions;
#[cfg(test)]
pub(crate) mod tests;
mod text;
mod tokens;
mod workspaces;

use apps::Totals;
use db_uuid::DbUuid;
use error::DatabaseTimeoutError;
use hot::Hot;

/// How long one call may take, transaction and retry included (contract section 6: 5 s for the mint's).
const CALL_LIMIT: Duration = Duration::from_secs(5);
/// How long a call waits for a free connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// How long SQLite waits for another writer; less than a call may take, so that it ends as an answer.
const BUSY_LIMIT: Duration = Duration::from_secs(4);
/// How long a connection that comes back may take to give the answers it owes: a server that lives gives up by itself
/// within the limits above.
const SETTLE_LIMIT: Duration = Duration::from_secs(6);
/// A connection idle for longer is pinged before it is used: firewalls drop such ones silently.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(30);
/// Rows a statement names at most; databases limit the number of parameters.
const CHUNK: usize = 500;
/// Of so many connections one may write the end of a run at a time.
const RUN_SHARE: u32 = 8;
/// Connections to SQLite at most, for each core.
const SQLITE_PER_CORE: u32 = 2;

/// The migration that Dify begins with.
const DIFY_FIRST: &str = "64b051264f32";
/// Dify's tables that this service reads, and the Dify migration each comes with.
const DIFY_TABLES: [(&str, &str); 14] = [
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
];

/// Where the database is.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    /// `sqlite:///path?mode=rwc`, `sqlite::memory:`, `postgres://…`, `postgresql://…` or `mysql://…`.
    pub url: Secret,
    /// Connections at most; of SQLite a few for each core.
    pub max_connections: u32,
}

/// The store.
#[derive(Clone)]
pub struct SqlStore {
    db: DatabaseConnection,
    backend: DbBackend,
    hot: Arc<Hot>,
    totals: Arc<Totals>,
    /// Taken by whoever writes the end of a run, so that ends leave room for beginnings.
    turns: Arc<Semaphore>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlStore({:?})", self.backend)
    }
}

impl SqlStore {
    /// Opens the pool, and one connection to see that the database answers.
    pub async fn connect(options: SqlOptions) -> Result<Self> {
        let url = options.url.expose();
        // Both spellings are common; SeaORM knows the short one.
        let postgres = url.strip_prefix("postgresql://").map(|rest| Zeroizing::new(format!("postgres://{rest}")));
        let url = postgres.as_ref().map_or(url, |url| url.as_str());
        let is_sqlite = url.starts_with("sqlite:");
        let in_memory = is_sqlite && url.contains(":memory:");
        let cores = thread::available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX);
        let connections = match options.max_connections.max(1) {
            // A database in memory lives as long as its one connection.
            _ if in_memory => 1,
            // Each is a thread that computes: more of them than cores would only wait for each other.
            most if is_sqlite => most.min(SQLITE_PER_CORE.saturating_mul(cores)),
            most => most,
        };
        // SQLite has one writer. Waiting for one's turn here is in order and at once; there it is by sleeping and trying.
        let turns = if is_sqlite { 1 } else { connections.div_ceil(RUN_SHARE) as usize };
        let mut connect = ConnectOptions::new(url);
        connect
            .max_connections(connections)
            .min_connections(1)
            .acquire_timeout(ACQUIRE_LIMIT)
            .connect_timeout(ACQUIRE_LIMIT)
            // Statements carry hashes and addresses, so none is logged.
            .sqlx_logging(false)
            .record_stmt_in_spans(false);
        if is_sqlite {
            connect.test_before_acquire(false).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
            connect.map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .foreign_keys(true)
                    .busy_timeout(BUSY_LIMIT)
            });
        } else {
            connect.test_before_acquire_if_idle_for(IDLE_BEFORE_PING);
        }
        limit_waits(&mut connect);
        if is_sqlite && !in_memory {
            // Turning a file to WAL takes it whole, and SQLite lets nobody wait for that: one connection does it, first.
            let mut first = connect.clone();
            first.max_connections(1);
            let first = Box::pin(Database::connect(first).with_subscriber(NoSubscriber::default()));
            limited(limited(first).await?.close()).await?;
        }
        // SeaORM's spans would print the options, password and all, to a subscriber that listens at trace level.
        let connecting = Box::pin(Database::connect(connect).with_subscriber(NoSubscriber::default()));
        let db = limited(connecting).await?;
        let backend = db.get_database_backend();
        let hot = Arc::new(Hot::for_backend(backend));
        Ok(Self { db, backend, hot, totals: Arc::default(), turns: Arc::new(Semaphore::new(turns)) })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        limited(self.db.ping()).await
    }

    /// Closes the pool: waits for calls under way and lets SQLite fold its log into the file.
    pub async fn close(self) -> Result<()> {
        limited(self.db.close()).await
    }

    /// Whether Dify keeps this database: it has `alembic_version`.
    pub async fn is_dify_database(&self) -> Result<bool> {
        self.has_table(DIFY_VERSION_TABLE).await
    }

    /// Beside Dify: that every table of Dify's that is read here is there.
    pub async fn check_dify_tables(&self) -> Result<()> {
        for (table, migration) in DIFY_TABLES {
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
        limited(SchemaManager::new(&self.db).has_table(table)).await
    }

    /// An id in the representation this database binds.
    fn id(&self, id: Uuid) -> DbUuid {
        if self.backend == DbBackend::Postgres { DbUuid::Native(id) } else { DbUuid::Text(id) }
    }

    /// A statement that was compiled at start, with its values.
    fn hot(&self, sql: &str, values: impl Into<Vec<Value>>) -> Statement {
        Statement { sql: sql.to_owned(), values: Some(Values(values.into())), db_backend: self.backend }
    }

    /// The weakest lock on a row that excludes others of its kind; PostgreSQL's does not hold up foreign key checks.
    fn row_lock(&self) -> LockType {
        if self.backend == DbBackend::Postgres { LockType::NoKeyUpdate } else { LockType::Update }
    }

    /// That a column holds exactly this text.
    fn is_exactly(&self, column: impl ColumnTrait, text: &str) -> SimpleExpr {
        self.is_same(Expr::col(column.as_column_ref()), Expr::val(text))
    }

    /// That two texts are the same. MySQL alone asks a collation, for most of which `jose` is `José` with a blank at its
    /// end, so that there their bytes are compared as well; the plain comparison is what an index can answer.
    fn is_same(&self, left: impl Into<SimpleExpr>, right: impl Into<SimpleExpr>) -> SimpleExpr {
        let (left, right) = (left.into(), right.into());
        let same = SimpleExpr::Binary(Box::new(left.clone()), BinOper::Equal, Box::new(right.clone()));
        if self.backend != DbBackend::MySql {
            return same;
        }
        let bytes = "CAST(CONVERT(? USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)";
        let bytes = Expr::cust_with_exprs(bytes, [left, right]);
        SimpleExpr::Binary(Box::new(same), BinOper::And, Box::new(bytes))
    }

    async fn hot_row(&self, statement: Statement) -> Result<Option<QueryResult>> {
        limited(self.db.query_one_raw(statement)).await
    }

    async fn hot_rows(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        limited(self.db.query_all_raw(statement)).await
    }

    async fn row<S: StatementBuilder>(&self, statement: &S) -> Result<Option<QueryResult>> {
        limited(self.db.query_one(statement)).await
    }

    async fn rows<S: StatementBuilder>(&self, statement: &S) -> Result<Vec<QueryResult>> {
        limited(self.db.query_all(statement)).await
    }

    /// Begins a transaction that writes. Dropped, it is rolled back.
    ///
    /// SQLite takes its write lock at once: a reader that turns writer would be refused when another got there first.
    /// MySQL must lock the gap where a row is missing, which it does at its own default level only.
    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.db
            .begin_with_options(TransactionOptions {
                isolation_level: (self.backend == DbBackend::MySql).then_some(IsolationLevel::RepeatableRead),
                access_mode: None,
                sqlite_transaction_mode: (self.backend == DbBackend::Sqlite)
                    .then_some(SqliteTransactionMode::Immediate),
            })
            .await
    }
}

/// Has the server itself give up before a call does: a call that is dropped leaves its connection busy until the server
/// answers, and a few of those would empty the pool. A server that is gone without a word never answers: such a
/// connection is thrown away, so that a new one can be made to whoever has taken its place.
fn limit_waits(connect: &mut ConnectOptions) {
    connect.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET lock_timeout = '4s'; SET statement_timeout = '5s'").await.map(|_| ())
            })
        })
        .after_release(|connection, _| Box::pin(settled(connection)))
    });
    connect.map_sqlx_mysql_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET SESSION innodb_lock_wait_timeout = 4").await.map(|_| ()) })
        })
        .after_release(|connection, _| Box::pin(settled(connection)))
    });
}

/// Waits for the answers that a connection still owes to calls that were dropped: none, as a rule, and then not at all.
async fn settled<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(SETTLE_LIMIT, connection.flush()).await {
        Ok(settled) => settled.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Holds work to the time limit of a call.
async fn limited<T, E: Into<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T> {
    match tokio::time::timeout(CALL_LIMIT, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Error::unavailable(DatabaseTimeoutError)),
    }
}

/// A moment as every database can hold it: to the microsecond.
fn instant(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

/// A moment as Dify's columns without a time zone hold it.
fn naive(at: DateTime<Utc>) -> NaiveDateTime {
    instant(at).naive_utc()
}
