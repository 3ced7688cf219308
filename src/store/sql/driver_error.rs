//! Error codes of the three databases.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use super::error_kind::SqlErrorKind;

/// MySQL's and MariaDB's numbers for an outage: disk full, too many connections, shutting down, table full, lock wait
/// timeout, read only (three), interrupted, killed, out of time (two).
const MYSQL_OUTAGES: [u16; 12] = [1021, 1040, 1053, 1114, 1205, 1290, 1792, 1836, 1317, 1927, 1969, 3024];

/// SQLite's primary result codes for an outage: busy, locked, read-only, I/O error, full.
const SQLITE_OUTAGES: [i32; 5] = [5, 6, 8, 10, 13];

/// The driver's error, if the driver reported one.
pub(super) fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The kind of an error that the database reported, if an operator can correct it.
pub(super) fn database_error_kind(error: &dyn sqlx::error::DatabaseError) -> Option<SqlErrorKind> {
    let code = error.code()?;
    if let Some(result) = sqlite_result(error) {
        return match result {
            5 | 6 => Some(SqlErrorKind::Busy),
            8 => Some(SqlErrorKind::ReadOnly),
            13 => Some(SqlErrorKind::Full),
            14 | 26 => Some(SqlErrorKind::File),
            1 if error.message().starts_with("no such table") || error.message().contains("column") => {
                Some(SqlErrorKind::Schema)
            }
            _ => None,
        };
    }
    match mysql_number(error) {
        Some(1040 | 1203 | 1226) => Some(SqlErrorKind::TooManyConnections),
        Some(1049) => Some(SqlErrorKind::NoDatabase),
        Some(1044 | 1045 | 1698) => Some(SqlErrorKind::Credentials),
        Some(1054 | 1146) => Some(SqlErrorKind::Schema),
        Some(1205) => Some(SqlErrorKind::Busy),
        Some(1290 | 1792 | 1836) => Some(SqlErrorKind::ReadOnly),
        Some(1021 | 1114) => Some(SqlErrorKind::Full),
        Some(_) => None,
        None => match &*code {
            "53300" => Some(SqlErrorKind::TooManyConnections),
            "26000" | "42P05" => Some(SqlErrorKind::Pooler),
            "3D000" => Some(SqlErrorKind::NoDatabase),
            "28000" | "28P01" => Some(SqlErrorKind::Credentials),
            "42P01" | "42703" => Some(SqlErrorKind::Schema),
            "55P03" => Some(SqlErrorKind::Busy),
            "25006" => Some(SqlErrorKind::ReadOnly),
            "53100" => Some(SqlErrorKind::Full),
            _ => None,
        },
    }
}

/// Whether a unique constraint rejected the statement.
pub(super) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// Whether no driver accepts the connection string.
pub(super) fn is_unusable_url(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(RuntimeErr::Internal(_)))
}

/// Whether the transaction met a deadlock or a serialization failure. The SQLSTATEs are PostgreSQL's and MySQL's; 1020
/// is MariaDB's number for a row that changed between being read and being locked.
pub(super) fn is_deadlock(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(error)) = driver_error(error) else { return false };
    matches!(error.code().as_deref(), Some("40P01" | "40001")) || mysql_number(error.as_ref()) == Some(1020)
}

/// Whether the connection was closed, so that the statement was not run or its result is lost.
pub(super) fn is_broken_connection(error: &DbErr) -> bool {
    match driver_error(error) {
        Some(sqlx::Error::Io(_)) => true,
        // PostgreSQL reports a shutdown or a crash before it closes the connection.
        Some(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| matches!(&*code, "57P01" | "57P02") || code.starts_with("08"))
        }
        _ => false,
    }
}

/// Whether the database is unreachable, full or slow, rather than the statement wrong.
pub(super) fn is_outage(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(_) if is_unusable_url(error) => false,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        _ => match driver_error(error) {
            Some(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            ) => true,
            Some(sqlx::Error::Database(database)) => database.code().is_some_and(|code| {
                // PostgreSQL: connection, resources, operator intervention, lock timeout, a standby that accepts no
                // writes. MySQL reports most of its errors as HY000 with a number; only the numbers above are outages.
                matches!(&*code, "55P03" | "57014" | "40P01" | "40001" | "25006")
                    || sqlite_result(database.as_ref()).is_some_and(|result| SQLITE_OUTAGES.contains(&result))
                    || ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class))
                    || mysql_number(database.as_ref()).is_some_and(|number| MYSQL_OUTAGES.contains(&number))
            }),
            _ => false,
        },
    }
}

/// SQLite's primary result code, which is the lowest byte; the higher bytes extend it.
fn sqlite_result(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    error.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

fn mysql_number(error: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
}
