//! The store's struct, and the calls that its other files are built from.

use std::{error::Error as _, fmt, future::Future, path::Path, sync::Arc};

use dify_openapi_migrations::SchemaManager;
use futures_util::TryFutureExt as _;
use sea_orm::{
    ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, StatementBuilder, Value,
    Values, sea_query::LockType,
};
use tokio::sync::{OnceCell, Semaphore};
use uuid::Uuid;

use super::{
    apps::total_cache::TotalCache, db_uuid::DbUuid, driver_error::is_broken_connection, error::RedactedDbError,
    pool::Suspicion, primary::PrimaryFollower, rendered::RenderedStatements, sql_pool::SqlPool, timeout::with_timeout,
};
use crate::{
    domain::{
        error::{Code, Error, Result},
        key::KeyRing,
    },
    ports::store_observer::{StoreCall, StoreObserver},
    store::observed::observed,
};

/// Rows that one statement names at most; databases limit the number of parameters.
pub(super) const MAX_ROWS_PER_STATEMENT: usize = 500;

/// The SQL store. Clones share one pool.
#[derive(Clone)]
pub struct SqlStore {
    pub(super) db: SqlPool,
    pub(super) backend: DbBackend,
    pub(super) observer: Option<Arc<dyn StoreObserver>>,
    /// Which connections of the pool may be broken.
    pub(super) suspicion: Arc<Suspicion>,
    pub(super) keys: Arc<KeyRing>,
    /// The directory of a SQLite file.
    pub(super) directory: Option<Arc<Path>>,
    /// Follows the primary when the URL leaves a choice of hosts.
    pub(super) primary: Option<Arc<PrimaryFollower>>,
    pub(super) rendered: Arc<RenderedStatements>,
    pub(super) app_totals: Arc<TotalCache>,
    /// Whether Dify's table of connections has a column for their visibility.
    pub(super) visibility_column: Arc<OnceCell<bool>>,
    /// Limits how many connections write the end of a run, so that some stay free for new requests.
    pub(super) run_write_permits: Arc<Semaphore>,
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlStore({:?})", self.backend)
    }
}

impl SqlStore {
    /// Connections of the pool: open, and of these idle.
    pub fn pool_connections(&self) -> [u32; 2] {
        self.db.connections()
    }

    /// The maximum of connections of the pool.
    pub fn max_pool_connections(&self) -> u32 {
        self.db.max_connections()
    }

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

    /// Runs a call to the database within its time limit. The call is boxed, because transactions are large futures.
    /// After one whose connection broke, the pool checks the other connections before it uses them.
    pub(super) fn call<T, E: Into<Error>>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T>> {
        let system = match self.backend {
            DbBackend::Postgres => "postgresql",
            DbBackend::MySql => "mysql",
            _ => "sqlite",
        };
        let checked = with_timeout(call).inspect_err(|error| {
            let cause = error.source().and_then(|cause| cause.downcast_ref::<RedactedDbError>());
            if cause.is_some_and(RedactedDbError::is_broken_connection) {
                self.suspicion.raise();
            }
            if let Some(primary) = self.primary.as_ref().filter(|_| error.code() == Code::ServiceUnavailable) {
                primary.search();
            }
        });
        observed(StoreCall { system, operation }, self.observer.as_ref(), Box::pin(checked))
    }

    /// Repeats a read once after its connection broke. The pool then checks the other connections before it uses them.
    pub(super) async fn read<T, F>(&self, read: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        self.call("SELECT", async {
            match read().await {
                Err(error) if is_broken_connection(&error) => {
                    self.suspicion.raise();
                    read().await
                }
                done => done,
            }
        })
        .await
    }

    pub(super) async fn query_one<S: StatementBuilder>(&self, statement: &S) -> Result<Option<QueryResult>> {
        self.read(|| self.db.query_one(statement)).await
    }

    pub(super) async fn query_all<S: StatementBuilder>(&self, statement: &S) -> Result<Vec<QueryResult>> {
        self.read(|| self.db.query_all(statement)).await
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>> {
        self.read(|| self.db.query_one_raw(statement.clone())).await
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>> {
        self.read(|| self.db.query_all_raw(statement.clone())).await
    }

    /// Begins a transaction that writes, on a second connection when the first one is broken. It is rolled back when it
    /// is dropped.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.db.begin().await {
            Err(error) if is_broken_connection(&error) => {
                self.suspicion.raise();
                self.db.begin().await
            }
            done => done,
        }
    }

    /// Looks at the schema. Reads only.
    pub(super) async fn schema_manager(&self) -> Result<SchemaManager<'_>, DbErr> {
        self.db.reader().await.map(SchemaManager::new)
    }
}
