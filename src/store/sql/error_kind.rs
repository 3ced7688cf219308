//! Kinds of database errors, for hints to an operator.

/// Kinds of errors that an operator can correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlErrorKind {
    /// The server cannot be reached or does not answer.
    Unreachable,
    /// The server has no database of that name.
    NoDatabase,
    /// The server rejects the user or the password.
    Credentials,
    /// A table or column is missing: the schema belongs to another version.
    Schema,
    /// SQLite cannot open the file, or the file is not a database.
    File,
    /// Other connections held locks for longer than the timeout.
    Busy,
}
