//! Sessions of the pool: their timeouts at the server, whom they trust, when they are checked, and what happens to
//! connections of abandoned calls.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use sea_orm::{
    ConnectOptions,
    sqlx::{
        self, Connection, Executor, mysql::MySqlConnectOptions, pool::PoolConnectionMetadata,
        postgres::PgConnectOptions,
    },
};
use tokio::time::Instant;

/// A connection that was idle for longer is pinged before it is used: firewalls drop idle connections silently.
const IDLE_BEFORE_PING: Duration = Duration::from_secs(30);
/// How long a released connection may take to deliver outstanding answers. A live server gives up within the limits
/// below, which are shorter.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(6);

/// Whether the URL or the environment names the authorities to trust, as the drivers read them.
pub(super) fn names_authority(url: &str) -> bool {
    const NAMES: [&str; 4] = ["sslrootcert=", "ssl-root-cert=", "ssl-ca=", "sslca="];
    let query = url.split_once('?').map_or("", |(_, query)| query);
    NAMES.iter().any(|name| query.contains(name)) || std::env::var_os("PGSSLROOTCERT").is_some()
}

/// Sets what the drivers do not read from the URL. SeaORM keeps the last function of a driver only, so this is the one
/// place that gives it functions.
pub(super) fn set_options(connect: &mut ConnectOptions, authorities: Option<&[u8]>, keeps_statements: bool) {
    let [for_postgres, for_mysql] = [authorities, authorities].map(|pem| pem.map(<[u8]>::to_vec));
    connect
        .map_sqlx_postgres_opts(move |options| {
            let options = complete_postgres(options, for_postgres.as_deref());
            if keeps_statements { options } else { options.statement_cache_capacity(0) }
        })
        .map_sqlx_mysql_opts(move |options| complete_mysql(options, for_mysql.as_deref()));
}

/// Trusts these authorities besides Mozilla's, which the driver uses in the modes `verify-ca` and `verify-full`; its
/// other modes accept any certificate. Removes the brackets of an IPv6 literal, which the driver takes for a name.
pub(super) fn complete_postgres(mut options: PgConnectOptions, authorities: Option<&[u8]>) -> PgConnectOptions {
    if let Some(literal) = ipv6_literal(options.get_host()) {
        options = options.host(&literal);
    }
    match authorities {
        Some(pem) => options.ssl_root_cert_from_pem(pem.to_vec()),
        None => options,
    }
}

/// The same for MySQL, whose modes are `VERIFY_CA` and `VERIFY_IDENTITY`.
pub(super) fn complete_mysql(mut options: MySqlConnectOptions, authorities: Option<&[u8]>) -> MySqlConnectOptions {
    if let Some(literal) = ipv6_literal(options.get_host()) {
        options = options.host(&literal);
    }
    match authorities {
        Some(pem) => options.ssl_ca_from_pem(pem.to_vec()),
        None => options,
    }
}

/// The address within brackets.
fn ipv6_literal(host: &str) -> Option<String> {
    Some(host.strip_prefix('[')?.strip_suffix(']')?.to_owned())
}

/// Makes the server give up before the call does. A call that is dropped leaves its connection busy until the server
/// answers; a few such connections would exhaust the pool. A server that has vanished never answers: its connections
/// are closed, so that new ones reach the server that has replaced it.
///
/// With a pooler in transaction mode, `for_sessions` is false: the settings of its sessions would reach other clients.
pub(super) fn set_hooks(connect: &mut ConnectOptions, for_sessions: bool, suspicion: &Arc<Suspicion>) {
    let of_postgres = Arc::clone(suspicion);
    connect.map_sqlx_postgres_pool_opts(move |pool| {
        let suspicion = Arc::clone(&of_postgres);
        pool.after_connect(move |connection, _| {
            Box::pin(async move {
                if !for_sessions {
                    return Ok(());
                }
                connection.execute("SET lock_timeout = '4s'; SET statement_timeout = '5s'").await.map(|_| ())
            })
        })
        .before_acquire(move |connection, meta| Box::pin(check(connection, suspicion.covers(&meta))))
        .after_release(|connection, _| Box::pin(settle(connection)))
    });
    let of_mysql = Arc::clone(suspicion);
    connect.map_sqlx_mysql_pool_opts(move |pool| {
        let suspicion = Arc::clone(&of_mysql);
        pool.after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET SESSION innodb_lock_wait_timeout = 4").await.map(|_| ()) })
        })
        .before_acquire(move |connection, meta| Box::pin(check(connection, suspicion.covers(&meta))))
        .after_release(|connection, _| Box::pin(settle(connection)))
    });
}

/// Since when idle connections may be broken: a restart of the server breaks all of them at once, and the first use of
/// one shows it.
#[derive(Debug, Default)]
pub(super) struct Suspicion(Mutex<Option<Instant>>);

impl Suspicion {
    /// A connection was found broken.
    pub(super) fn raise(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    /// Whether a connection has to be pinged before it is used.
    fn covers(&self, connection: &PoolConnectionMetadata) -> bool {
        let idle_since_then = |at: Instant| connection.idle_for >= at.elapsed();
        connection.idle_for >= IDLE_BEFORE_PING || self.0.lock().is_some_and(idle_since_then)
    }
}

/// Pings a suspected connection. The pool closes it on an error, and takes another one.
async fn check<C: Connection>(connection: &mut C, is_suspected: bool) -> Result<bool, sqlx::Error> {
    if is_suspected {
        connection.ping().await?;
    }
    Ok(true)
}

/// Waits for the answers that the server still owes to dropped calls. Usually there are none, and this returns at once.
async fn settle<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(SETTLE_TIMEOUT, connection.flush()).await {
        Ok(settled) => settled.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
