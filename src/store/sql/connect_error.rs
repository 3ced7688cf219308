//! Why the pool could not connect. The pool repeats attempts that a server refuses until its timeout, and then
//! reports only that.

use std::{str::FromStr as _, time::Duration};

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, ConnectOptions as _, Connection as _, mysql::MySqlConnectOptions, postgres::PgConnectOptions},
};

use super::{
    driver_error::driver_error,
    pool::{complete_mysql, complete_postgres},
};

/// The time limit of the attempt that finds the cause.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects once without the pool if the pool's error names no cause, and returns the cause or the pool's error.
pub(super) async fn find_cause(url: &str, authorities: Option<&[u8]>, error: DbErr) -> DbErr {
    let is_timeout =
        matches!(error, DbErr::ConnectionAcquire(_)) || matches!(driver_error(&error), Some(sqlx::Error::PoolTimedOut));
    if !is_timeout {
        return error;
    }
    match tokio::time::timeout(ATTEMPT_TIMEOUT, attempt(url, authorities)).await {
        Ok(Err(cause)) => DbErr::Conn(RuntimeErr::SqlxError(cause.into())),
        Ok(Ok(())) | Err(_) => error,
    }
}

async fn attempt(url: &str, authorities: Option<&[u8]>) -> Result<(), sqlx::Error> {
    if url.starts_with("postgres:") {
        complete_postgres(PgConnectOptions::from_str(url)?, authorities).connect().await?.close().await
    } else if url.starts_with("mysql:") {
        complete_mysql(MySqlConnectOptions::from_str(url)?, authorities).connect().await?.close().await
    } else {
        Ok(())
    }
}
