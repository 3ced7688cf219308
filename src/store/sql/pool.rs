//! Timeouts on the database server's side, and what happens to connections of abandoned calls.

use std::time::Duration;

use sea_orm::{
    ConnectOptions,
    sqlx::{self, Connection, Executor},
};

/// How long a released connection may take to deliver outstanding answers. A live server gives up within the limits
/// below, which are shorter.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(6);

/// Makes the server give up before the call does. A call that is dropped leaves its connection busy until the server
/// answers; a few such connections would exhaust the pool. A server that has vanished never answers: its connections
/// are closed, so that new ones reach the server that has replaced it.
pub(super) fn set_server_timeouts(connect: &mut ConnectOptions) {
    connect.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute("SET lock_timeout = '4s'; SET statement_timeout = '5s'").await.map(|_| ())
            })
        })
        .after_release(|connection, _| Box::pin(settle(connection)))
    });
    connect.map_sqlx_mysql_pool_opts(|pool| {
        pool.after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET SESSION innodb_lock_wait_timeout = 4").await.map(|_| ()) })
        })
        .after_release(|connection, _| Box::pin(settle(connection)))
    });
}

/// Waits for the answers that the server still owes to dropped calls. Usually there are none, and this returns at once.
async fn settle<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(SETTLE_TIMEOUT, connection.flush()).await {
        Ok(settled) => settled.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}
