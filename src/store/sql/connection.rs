//! Opening, checking and closing the connection pool.

use std::{num::NonZero, sync::Arc, thread, time::Duration};

use dify_openapi_migrations::SCHEMA_VERSION_TABLE;
use futures_util::FutureExt as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database,
    sea_query::{Expr, Query},
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use zeroize::Zeroizing;

use super::{
    connect_error::find_cause,
    disk::{check_space, directory_of},
    pool::{names_authority, set_hooks, set_options},
    primary::{Hosts, PrimaryFollower},
    rendered::RenderedStatements,
    sql_pool::SqlPool,
    sql_store::SqlStore,
    timeout::with_timeout,
};
use crate::{
    domain::{
        error::{Error, Result},
        key::KeyRing,
        postgres_hosts::PostgresHosts,
        secret::Secret,
    },
    ports::{sql_pooling::SqlPooling, store_observer::StoreObserver},
};

/// How long a call waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long SQLite waits for another writer. Less than the time limit of a call, so that the wait ends with SQLite's
/// own error.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(4);
/// One in this many connections may write the end of a run at a time.
const CONNECTIONS_PER_RUN_WRITER: u32 = 8;
/// Limit of connections to SQLite, for each core.
const SQLITE_CONNECTIONS_PER_CORE: u32 = 2;

/// Where the database is.
#[derive(Clone, Debug)]
pub struct SqlOptions {
    /// `sqlite:///path?mode=rwc`, `sqlite::memory:`, `postgres://…`, `postgresql://…` or `mysql://…`.
    pub url: Secret,
    /// Limit of connections. SQLite uses a few for each core at most.
    pub max_connections: u32,
    /// Keys that encrypt apps' secret variables.
    pub keys: Arc<KeyRing>,
    /// Authorities that are trusted besides Mozilla's, as PEM, where the URL asks for a check of the server's
    /// certificate and names no authority.
    pub authorities: Option<Vec<u8>>,
    /// Of PostgreSQL; `Sessions` for the others.
    pub pooling: SqlPooling,
    /// Receives the duration of each call.
    pub observer: Option<Arc<dyn StoreObserver>>,
}

impl SqlOptions {
    /// Options of a direct connection that trusts Mozilla's authorities.
    pub fn new(url: Secret, max_connections: u32, keys: Arc<KeyRing>) -> Self {
        Self { url, max_connections, keys, authorities: None, pooling: SqlPooling::Sessions, observer: None }
    }
}

impl SqlStore {
    /// Opens the pool with one connection, to check that the database answers.
    pub async fn connect(options: SqlOptions) -> Result<Self> {
        let url = options.url.expose();
        // Both spellings are common; SeaORM accepts the short one.
        let postgres = url.strip_prefix("postgresql://").map(|rest| Zeroizing::new(format!("postgres://{rest}")));
        let url = postgres.as_ref().map_or(url, |url| url.as_str());
        let authorities = options.authorities.filter(|_| !names_authority(url));
        let hosts = hosts_of(url, authorities.as_ref())?;
        let chosen = match &hosts {
            Some(hosts) => Some(hosts.find().await.map_err(Error::unavailable)?.clone()),
            None => None,
        };
        let url = chosen.as_ref().map_or(url, Secret::expose);
        let is_sqlite = url.starts_with("sqlite:");
        let in_memory = is_sqlite && url.contains(":memory:");
        let cores = thread::available_parallelism().map_or(1, NonZero::get).try_into().unwrap_or(u32::MAX);
        let connections = match options.max_connections.max(1) {
            // A database in memory lives as long as its one connection.
            _ if in_memory => 1,
            // Each connection is a thread that computes; more threads than cores would wait for each other.
            max if is_sqlite => max.min(SQLITE_CONNECTIONS_PER_CORE.saturating_mul(cores)),
            max => max,
        };
        // SQLite has one writer. The semaphore is fair and wakes the next writer at once; SQLite sleeps and tries
        // again.
        let run_writers = if is_sqlite { 1 } else { connections.div_ceil(CONNECTIONS_PER_RUN_WRITER) as usize };
        let mut connect = ConnectOptions::new(url);
        connect
            .max_connections(connections)
            .min_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_timeout(ACQUIRE_TIMEOUT)
            // Statements contain hashes and addresses, so none is logged.
            .sqlx_logging(false)
            .record_stmt_in_spans(false);
        if is_sqlite {
            connect.test_before_acquire(false).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
            connect.map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .foreign_keys(true)
                    .busy_timeout(SQLITE_BUSY_TIMEOUT)
            });
        } else {
            // `set_hooks` checks those that may be broken.
            connect.test_before_acquire(false);
        }
        let keeps_statements = options.pooling != SqlPooling::TransactionsWithoutStatements;
        set_options(&mut connect, authorities.as_deref(), keeps_statements);
        let suspicion = Arc::default();
        set_hooks(&mut connect, options.pooling == SqlPooling::Sessions, &suspicion);
        if is_sqlite && !in_memory {
            // Switching a file to WAL needs an exclusive lock, for which SQLite does not wait. One connection does it
            // before the pool opens others.
            let mut first = connect.clone();
            first.max_connections(1);
            let first = Box::pin(Database::connect(first).with_subscriber(NoSubscriber::default()));
            with_timeout(with_timeout(first).await?.close()).await?;
        }
        // At trace level, SeaORM's spans would contain the options with the password.
        let connecting = Box::pin(Database::connect(connect).with_subscriber(NoSubscriber::default()));
        let db = match with_timeout(connecting.map(Ok::<_, Error>)).await? {
            Ok(db) => db,
            Err(error) => return Err(find_cause(url, authorities.as_deref(), error).await.into()),
        };
        let backend = db.get_database_backend();
        let db = SqlPool::new(db, options.pooling);
        let follow = |hosts| Arc::new(PrimaryFollower::start(hosts, db.postgres_pool().clone()));
        let directory = if is_sqlite && !in_memory { directory_of(url) } else { None };
        Ok(Self {
            directory: directory.map(Arc::from),
            primary: hosts.map(follow),
            db,
            backend,
            suspicion,
            observer: options.observer,
            keys: options.keys,
            rendered: Arc::new(RenderedStatements::for_backend(backend)),
            app_totals: Arc::default(),
            visibility_column: Arc::default(),
            run_write_permits: Arc::new(Semaphore::new(run_writers)),
        })
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.call("PING", self.db.ping()).await
    }

    /// Checks that the database accepts writes: writes the row of the schema's version again. A standby, a read-only
    /// file and a full disk refuse it. A SQLite file also needs space for further rows.
    pub(crate) async fn check_writable(&self) -> Result<()> {
        let write =
            Query::update().table(SCHEMA_VERSION_TABLE).value("migrated_by", Expr::col("migrated_by")).to_owned();
        self.call("UPDATE", async { self.db.execute(&write).await }).await?;
        match self.directory.clone() {
            Some(directory) => {
                let checked = spawn_blocking(move || check_space(&directory)).await;
                checked.map_err(Error::internal)?.map_err(Error::unavailable)
            }
            None => Ok(()),
        }
    }

    /// Closes the pool: waits for calls in progress and lets SQLite write its log into the file.
    pub async fn close(self) -> Result<()> {
        with_timeout(self.db.close()).await
    }
}

/// The hosts of a URL of PostgreSQL that leaves a choice.
fn hosts_of(url: &str, authorities: Option<&Vec<u8>>) -> Result<Option<Hosts>> {
    if !url.starts_with("postgres:") {
        return Ok(None);
    }
    let hosts = PostgresHosts::parse(url).map_err(Error::internal)?;
    Ok(hosts.is_choice().then(|| Hosts::new(hosts, authorities.cloned())))
}
