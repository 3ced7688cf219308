//! The store's struct, and the calls that its other files are built from.

use std::{fmt, sync::Arc};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, QueryResult,
    SqliteTransactionMode, Statement, StatementBuilder, TransactionOptions, TransactionTrait, Value, Values,
    sea_query::LockType,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{apps::total_cache::TotalCache, db_uuid::DbUuid, rendered::RenderedStatements, timeout::with_timeout};
use crate::domain::{error::Result, key::KeyRing};

/// Rows that one statement names at most; databases limit the number of parameters.
pub(super) const MAX_ROWS_PER_STATEMENT: usize = 500;

/// The SQL store. Clones share one pool.
#[derive(Clone)]
pub struct SqlStore {
    pub(super) db: DatabaseConnection,
    pub(super) backend: DbBackend,
    pub(super) keys: Arc<KeyRing>,
    pub(super) rendered: Arc<RenderedStatements>,
    pub(super) app_totals: Arc<TotalCache>,
    /// Limits how many connections write the end of a run, so that some stay free for new requests.
    pub(super) run_write_permits: Arc<Semaphore>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlStore({:?})", self.backend)
    }
}

impl SqlStore {
    /// An id in the representation that this database binds.
    pub(super) fn id(&self, id: Uuid) -> DbUuid {
        if self.backend == DbBackend::Postgres { DbUuid::Native(id) } else { DbUuid::Text(id) }
    }

    /// A rendered statement with its values.
    pub(super) fn statement(&self, sql: &str, values: impl Into<Vec<Value>>) -> Statement {
        Statement { sql: sql.to_owned(), values: Some(Values(values.into())), db_backend: self.backend }
    }

    /// The weakest row lock that excludes locks of its own kind. PostgreSQL's does not delay foreign key checks.
    pub(super) fn row_lock(&self) -> LockType {
        if self.backend == DbBackend::Postgres { LockType::NoKeyUpdate } else { LockType::Update }
    }

    pub(super) async fn query_one<S: StatementBuilder>(&self, statement: &S) -> Result<Option<QueryResult>> {
        with_timeout(self.db.query_one(statement)).await
    }

    pub(super) async fn query_all<S: StatementBuilder>(&self, statement: &S) -> Result<Vec<QueryResult>> {
        with_timeout(self.db.query_all(statement)).await
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>> {
        with_timeout(self.db.query_one_raw(statement)).await
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        with_timeout(self.db.query_all_raw(statement)).await
    }

    /// Begins a transaction that writes. It is rolled back when it is dropped.
    ///
    /// SQLite takes its write lock at once: a transaction that reads first and writes later fails when another one has
    /// written in between. MySQL must lock the gap where a row is missing, which it does at its default isolation level
    /// only.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
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
