//! What the errors of the driver mean.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::domain::Error;

/// Whether the connection has to be replaced.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}

/// Whether the server refuses writes because another one is the master, or may have become it: a replica, and a master
/// without the replicas that it has to have (`min-replicas-to-write`). Redis 6 wraps an error inside a script into another
/// one, so the message is searched as well.
pub(super) fn is_not_master(error: &RedisError) -> bool {
    const CODES: [&str; 2] = ["READONLY", "NOREPLICAS"];
    error.code().is_some_and(|code| CODES.contains(&code))
        || error.detail().is_some_and(|detail| CODES.iter().any(|code| detail.contains(code)))
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
