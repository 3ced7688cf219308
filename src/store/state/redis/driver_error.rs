//! What the errors of the driver mean.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::domain::Error;

/// Whether the connection has to be replaced.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}

/// Whether the server is a replica. Redis 6 wraps an error inside a script into another one, so the message is searched
/// as well.
pub(super) fn is_read_only(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || error.detail().is_some_and(|detail| detail.contains("READONLY"))
}

/// Whether the server does not know a script by its hash.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// The error without the server's and the driver's message, which may quote arguments (`unknown command …, with args
/// beginning with …`) and so the hash of a token. Keeps the kind, and the operating system's message.
pub(super) fn domain_error(error: &RedisError) -> Error {
    let kind = error.kind();
    Error::unavailable(match (kind, error.code()) {
        (ErrorKind::Io, _) => error.to_string(),
        (_, Some(code)) => format!("Redis refused a command ({kind:?}, {code})"),
        (_, None) => format!("Redis refused a command ({kind:?})"),
    })
}
