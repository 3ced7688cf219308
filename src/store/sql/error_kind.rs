//! Kinds of database errors, for hints to an operator.

/// Kinds of errors that an operator can correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlErrorKind {
    /// The server cannot be reached or does not answer.
    Unreachable,
    /// Nothing listens at the address.
    Refused,
    /// No address has the name of the host.
    UnknownHost,
    /// The certificate of the server is not accepted, or the server rejects the TLS handshake.
    Certificate,
    /// The server or a pooler has no connection left.
    TooManyConnections,
    /// A pooler gave the statements of a session to different sessions of the server.
    Pooler,
    /// The server has no database of that name.
    NoDatabase,
    /// The server rejects the user or the password.
    Credentials,
    /// A table or column is missing: the schema belongs to another version.
    Schema,
    /// SQLite cannot open the file, or the file is not a database.
    File,
    /// The database accepts no writes: a standby, a read-only file system, or a setting.
    ReadOnly,
    /// The disk of the database is full.
    Full,
    /// Other connections held locks for longer than the timeout.
    Busy,
}
