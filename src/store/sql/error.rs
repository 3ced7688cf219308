//! Database errors, turned into the product's error in this one place.

use std::{fmt, time::Duration};

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::domain::Error;

/// What the log learns of a database error.
///
/// The driver's own texts quote values, some of them secret (`Duplicate entry '…' for key 'token_hash'`), so that of a
/// failed statement only its code and the constraint are told.
pub(crate) struct RedactedDbError(DbErr);

impl fmt::Display for RedactedDbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match driver_error(&self.0) {
            Some(sqlx::Error::Database(error)) => {
                write!(f, "the database refused a statement ({:?}", error.kind())?;
                if let Some(code) = error.code() {
                    write!(f, ", code {code}")?;
                }
                if let Some(constraint) = error.constraint() {
                    write!(f, ", constraint {constraint}")?;
                }
                f.write_str(")")?;
                // What is wrong with a statement or a schema is told in words that quote names only.
                if error.kind() == sqlx::error::ErrorKind::Other { write!(f, ": {}", error.message()) } else { Ok(()) }
            }
            // SeaORM quotes the whole connection string here, password and all.
            None if is_unusable_url(&self.0) => f.write_str("the connection string does not name a supported database"),
            _ => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Debug for RedactedDbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for RedactedDbError {}

/// A fault that whoever keeps the database can do something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlErrorKind {
    /// The server cannot be reached, or is silent.
    Away,
    /// The server has no database of that name.
    NoDatabase,
    /// The server does not take the user, or the password.
    Credentials,
    /// A table or column is missing: the schema is not this version's.
    Schema,
    /// SQLite's file cannot be opened, or is none of SQLite's.
    File,
    /// Others hold locks for longer than anybody waits.
    Busy,
}

impl RedactedDbError {
    /// What the matter is, where it is one of those.
    pub(crate) fn trouble(&self) -> Option<SqlErrorKind> {
        if matches!(self.0, DbErr::ConnectionAcquire(_)) {
            return Some(SqlErrorKind::Away);
        }
        match driver_error(&self.0)? {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Some(SqlErrorKind::Away)
            }
            sqlx::Error::Database(error) => database_trouble(error.as_ref()),
            _ => None,
        }
    }
}

fn database_trouble(error: &dyn sqlx::error::DatabaseError) -> Option<SqlErrorKind> {
    let code = error.code()?;
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        // The lowest byte is the kind; what lies above says more about it.
        return match code.parse::<i32>().ok()? & 0xff {
            5 | 6 => Some(SqlErrorKind::Busy),
            14 | 26 => Some(SqlErrorKind::File),
            1 if error.message().starts_with("no such table") || error.message().contains("column") => {
                Some(SqlErrorKind::Schema)
            }
            _ => None,
        };
    }
    match mysql_number(error) {
        Some(1049) => Some(SqlErrorKind::NoDatabase),
        Some(1044 | 1045 | 1698) => Some(SqlErrorKind::Credentials),
        Some(1054 | 1146) => Some(SqlErrorKind::Schema),
        Some(1205) => Some(SqlErrorKind::Busy),
        Some(_) => None,
        None => match &*code {
            "3D000" => Some(SqlErrorKind::NoDatabase),
            "28000" | "28P01" => Some(SqlErrorKind::Credentials),
            "42P01" | "42703" => Some(SqlErrorKind::Schema),
            "55P03" => Some(SqlErrorKind::Busy),
            _ => None,
        },
    }
}

/// A statement or a transaction took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
pub(crate) struct DatabaseTimeoutError;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if is_outage(&error) {
            Self::unavailable(RedactedDbError(error))
        } else {
            Self::internal(RedactedDbError(error))
        }
    }
}

/// What ends a transaction early: the database, or our own judgement.
pub(super) enum SqlError {
    /// The database.
    Database(DbErr),
    /// Our own judgement.
    Rejected(Error),
}

impl SqlError {
    /// Whether the same transaction may well succeed now: another one won a race for the same row.
    pub(super) fn lost_a_race(&self) -> bool {
        match self {
            Self::Database(error) => is_unique_violation(error) || is_deadlock(error),
            Self::Rejected(_) => false,
        }
    }
}

/// How often a transaction is tried in all.
const ATTEMPTS: u32 = 6;
/// What a loser waits before it tries again, times the attempts so far: a winner needs less.
const PAUSE: Duration = Duration::from_millis(15);

/// Tries a transaction again that lost a race. Where a row is missing, MySQL lets several transactions lock the gap and
/// then ends all but one of those that insert: that is no failure, as long as whoever ended tries again, and not at once.
pub(super) async fn retried<T, F>(attempt: impl Fn() -> F) -> Result<T, SqlError>
where
    F: Future<Output = Result<T, SqlError>>,
{
    let mut attempts = 1;
    loop {
        match attempt().await {
            Err(failure) if attempts < ATTEMPTS && failure.lost_a_race() => {
                tokio::time::sleep(PAUSE * attempts).await;
                attempts += 1;
            }
            done => return done,
        }
    }
}

impl From<DbErr> for SqlError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for SqlError {
    fn from(error: Error) -> Self {
        Self::Rejected(error)
    }
}

impl From<SqlError> for Error {
    fn from(failure: SqlError) -> Self {
        match failure {
            SqlError::Database(error) => error.into(),
            SqlError::Rejected(error) => error,
        }
    }
}

/// Whether a unique constraint refused the statement.
pub(super) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Whether no driver takes the connection string.
fn is_unusable_url(error: &DbErr) -> bool {
    matches!(error, DbErr::Conn(RuntimeErr::Internal(_)))
}

/// SQLSTATE of a deadlock or a serialization failure, on PostgreSQL and MySQL alike; and MariaDB's own number for a row
/// that changed between being read and being locked.
fn is_deadlock(error: &DbErr) -> bool {
    let Some(sqlx::Error::Database(error)) = driver_error(error) else { return false };
    matches!(error.code().as_deref(), Some("40P01" | "40001")) || mysql_number(error.as_ref()) == Some(1020)
}

/// Whether the database is away, full or slow, rather than our statement wrong.
fn is_outage(error: &DbErr) -> bool {
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
                // SQLite: busy, locked and their extended forms; PostgreSQL: connection, resources, operator, lock
                // timeout, a standby that takes no writes; MySQL reports most of its own as HY000 with a number, which is an
                // outage only for these.
                matches!(&*code, "5" | "6" | "261" | "517" | "262" | "55P03" | "57014" | "40P01" | "40001" | "25006")
                    || ["08", "53", "57P", "58"].iter().any(|class| code.starts_with(class))
                    || mysql_number(database.as_ref()).is_some_and(|number| MYSQL_OUTAGES.contains(&number))
            }),
            _ => false,
        },
    }
}

/// MySQL's and MariaDB's numbers: disk full, too many connections, shutting down, table full, lock wait, read only (three
/// kinds), interrupted, killed, out of time (one each).
const MYSQL_OUTAGES: [u16; 12] = [1021, 1040, 1053, 1114, 1205, 1290, 1792, 1836, 1317, 1927, 1969, 3024];

fn mysql_number(error: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
}
