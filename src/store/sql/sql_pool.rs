//! The pool, as statements use it. Behind a pooler without prepared statements, a single statement runs in a
//! transaction of its own, during which it has one session of the server.

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    IsolationLevel, QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
    sqlx::PgPool,
};

use crate::ports::sql_pooling::SqlPooling;

/// The timeouts of PostgreSQL for one transaction, where its session cannot keep them.
const TIMEOUTS: &str = "SET LOCAL lock_timeout = '4s'; SET LOCAL statement_timeout = '5s'";
/// The driver gives names to its statements. Those of earlier clients of the session would be in the way.
const TIMEOUTS_WITHOUT_STATEMENTS: &str =
    "DEALLOCATE ALL; SET LOCAL lock_timeout = '4s'; SET LOCAL statement_timeout = '5s'";

/// A pool of connections. Clones share it.
#[derive(Clone)]
pub(super) struct SqlPool {
    pool: DatabaseConnection,
    pooling: SqlPooling,
}

impl SqlPool {
    pub(super) fn new(pool: DatabaseConnection, pooling: SqlPooling) -> Self {
        Self { pool, pooling }
    }

    pub(super) fn postgres_pool(&self) -> &PgPool {
        self.pool.get_postgres_connection_pool()
    }

    /// Connections of the pool: open, and of these idle.
    pub(super) fn connections(&self) -> [u32; 2] {
        let idle = |idle: usize| u32::try_from(idle).unwrap_or(u32::MAX);
        match self.get_database_backend() {
            DbBackend::Postgres => {
                let pool = self.pool.get_postgres_connection_pool();
                [pool.size(), idle(pool.num_idle())]
            }
            DbBackend::MySql => {
                let pool = self.pool.get_mysql_connection_pool();
                [pool.size(), idle(pool.num_idle())]
            }
            _ => {
                let pool = self.pool.get_sqlite_connection_pool();
                [pool.size(), idle(pool.num_idle())]
            }
        }
    }

    /// The maximum of connections of the pool.
    pub(super) fn max_connections(&self) -> u32 {
        match self.get_database_backend() {
            DbBackend::Postgres => self.pool.get_postgres_connection_pool().options().get_max_connections(),
            DbBackend::MySql => self.pool.get_mysql_connection_pool().options().get_max_connections(),
            _ => self.pool.get_sqlite_connection_pool().options().get_max_connections(),
        }
    }

    /// Begins a transaction that writes. It is rolled back when it is dropped.
    ///
    /// SQLite takes its write lock at once: a transaction that reads first and writes later fails when another one has
    /// written in between. MySQL must lock the gap where a row is missing, which it does at its default isolation level
    /// only.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let backend = self.get_database_backend();
        let options = TransactionOptions {
            isolation_level: (backend == DbBackend::MySql).then_some(IsolationLevel::RepeatableRead),
            access_mode: None,
            sqlite_transaction_mode: (backend == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate),
        };
        let transaction = self.pool.begin_with_options(options).await?;
        let settings = match self.pooling {
            SqlPooling::Sessions => return Ok(transaction),
            SqlPooling::Transactions => TIMEOUTS,
            SqlPooling::TransactionsWithoutStatements => TIMEOUTS_WITHOUT_STATEMENTS,
        };
        transaction.execute_unprepared(settings).await?;
        Ok(transaction)
    }

    /// Executes several statements that only read.
    pub(super) async fn reader(&self) -> Result<DatabaseExecutor<'_>, DbErr> {
        Ok(match self.transaction_of_statement().await? {
            Some(transaction) => DatabaseExecutor::OwnedTransaction(transaction),
            None => DatabaseExecutor::Connection(&self.pool),
        })
    }

    pub(super) async fn ping(&self) -> Result<(), DbErr> {
        self.pool.ping().await
    }

    pub(super) async fn close(self) -> Result<(), DbErr> {
        self.pool.close().await
    }

    /// The transaction that a single statement needs.
    async fn transaction_of_statement(&self) -> Result<Option<DatabaseTransaction>, DbErr> {
        match self.pooling {
            SqlPooling::Sessions | SqlPooling::Transactions => Ok(None),
            SqlPooling::TransactionsWithoutStatements => self.begin().await.map(Some),
        }
    }
}

#[async_trait]
impl ConnectionTrait for SqlPool {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let Some(transaction) = self.transaction_of_statement().await? else {
            return self.pool.execute_raw(statement).await;
        };
        let done = transaction.execute_raw(statement).await?;
        transaction.commit().await?;
        Ok(done)
    }

    /// One message, which is a transaction by itself.
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.pool.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let Some(transaction) = self.transaction_of_statement().await? else {
            return self.pool.query_one_raw(statement).await;
        };
        let row = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let Some(transaction) = self.transaction_of_statement().await? else {
            return self.pool.query_all_raw(statement).await;
        };
        let rows = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}
