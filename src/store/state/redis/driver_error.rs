//! What the errors of the driver mean.

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::domain::Error;

/// What is known of a connection before its next probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectionFault {
    /// It may be broken: probe it.
    Broken,
    /// Its server is a master without the replicas that it has to have (`min-replicas-to-write`), so another one may have
    /// become the master: replace it, unless it is new.
    LacksReplicas,
    /// Its server replies but cannot be used, such as a master that was demoted: replace it.
    Unusable,
}

/// Whether the connection has to be replaced.
pub(super) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::ClusterConnectionNotFound
}

/// What an error says of its connection. `None`: nothing.
pub(super) fn fault_of(error: &RedisError) -> Option<ConnectionFault> {
    if is_broken(error) {
        Some(ConnectionFault::Broken)
    } else if has_code(error, "READONLY") {
        Some(ConnectionFault::Unusable)
    } else if has_code(error, "NOREPLICAS") {
        Some(ConnectionFault::LacksReplicas)
    } else {
        None
    }
}

/// Redis 6 wraps an error inside a script into another one, so the message is searched as well.
fn has_code(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code) || error.detail().is_some_and(|detail| detail.contains(code))
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
