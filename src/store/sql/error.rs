//! Database errors as the product's error.

use std::{fmt, io::ErrorKind};

use sea_orm::{DbErr, sqlx};

use super::{
    driver_error::{
        database_error_kind, driver_error, is_broken_connection, is_deadlock, is_outage, is_unique_violation,
        is_unusable_url,
    },
    error_kind::SqlErrorKind,
};
use crate::domain::error::Error;

/// A database error as it is logged.
///
/// The driver's texts quote values, and some of these are secret (`Duplicate entry '…' for key 'token_hash'`). Of a
/// failed statement only the code and the constraint are shown.
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
                // Messages about a wrong statement or schema quote names, never values.
                if error.kind() == sqlx::error::ErrorKind::Other { write!(f, ": {}", error.message()) } else { Ok(()) }
            }
            // SeaORM quotes the whole connection string here, with the password.
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

impl RedactedDbError {
    pub(super) fn is_broken_connection(&self) -> bool {
        is_broken_connection(&self.0)
    }

    /// The kind, if it is one that an operator can correct.
    pub(crate) fn kind(&self) -> Option<SqlErrorKind> {
        if matches!(self.0, DbErr::ConnectionAcquire(_)) {
            return Some(SqlErrorKind::Unreachable);
        }
        match driver_error(&self.0)? {
            sqlx::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => Some(SqlErrorKind::Refused),
            // The standard library has no kind for it.
            sqlx::Error::Io(error) if error.to_string().contains("lookup address") => Some(SqlErrorKind::UnknownHost),
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Some(SqlErrorKind::Certificate),
            sqlx::Error::Tls(_) => Some(SqlErrorKind::Certificate),
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Some(SqlErrorKind::Unreachable)
            }
            sqlx::Error::Database(error) => database_error_kind(error.as_ref()),
            _ => None,
        }
    }
}

/// A statement or a transaction exceeded its time limit.
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

/// Why a transaction ended early.
pub(super) enum SqlError {
    /// The database failed.
    Database(DbErr),
    /// The store rejected the call.
    Rejected(Error),
}

impl SqlError {
    /// Whether another transaction won a race for the same row, so that the same transaction may succeed now.
    pub(super) fn lost_a_race(&self) -> bool {
        match self {
            Self::Database(error) => is_unique_violation(error) || is_deadlock(error),
            Self::Rejected(_) => false,
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
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Database(error) => error.into(),
            SqlError::Rejected(error) => error,
        }
    }
}
