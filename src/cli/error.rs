//! Why a command failed: one sentence with the fix for each problem, and the exit code.

use std::{fmt, io::Write as _, process::ExitCode};

use super::{exit_code::CommandErrorKind, printable::Printable};
use crate::{
    config::{Problems, data_dir::DataDirError},
    domain::Error,
    store::sql::{
        error::{DatabaseTimeoutError, RedactedDbError},
        error_kind::SqlErrorKind,
    },
};

#[derive(Debug)]
pub(crate) struct CommandError {
    sentences: Vec<String>,
    pub(super) kind: CommandErrorKind,
}

impl CommandError {
    pub(crate) fn new(kind: CommandErrorKind, sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], kind }
    }

    /// The command line, the configuration or an input file has to change.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::Usage, sentence)
    }

    pub(crate) fn not_found(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::NotFound, sentence)
    }

    pub(crate) fn conflict(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::Conflict, sentence)
    }

    pub(crate) fn refused(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::Refused, sentence)
    }

    pub(crate) fn unavailable(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::Unavailable, sentence)
    }

    /// A failure of no other kind.
    pub(crate) fn other(sentence: impl fmt::Display) -> Self {
        Self::new(CommandErrorKind::Failure, sentence)
    }

    /// This error with further problems of the configuration.
    pub(crate) fn and(mut self, problems: Problems) -> Self {
        self.sentences.extend(Self::from(problems).sentences);
        self
    }

    /// Prints the sentences on standard error and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        for sentence in &self.sentences {
            let lines: Vec<_> = sentence.lines().map(|line| Printable(line).to_string()).collect();
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "error: {}", lines.join("\n"));
        }
        ExitCode::from(self.kind.exit_code())
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences.join("\n"))
    }
}

impl std::error::Error for CommandError {}

impl From<Problems> for CommandError {
    fn from(problems: Problems) -> Self {
        let sentences = problems.0.into_iter().map(|problem| problem.sentence).collect();
        Self { sentences, kind: CommandErrorKind::Usage }
    }
}

impl From<DataDirError> for CommandError {
    fn from(error: DataDirError) -> Self {
        match error {
            DataDirError::InUse(_) => Self::conflict(error),
            DataDirError::Io { .. } | DataDirError::Shared { .. } => Self::usage(error),
        }
    }
}

impl From<Error> for CommandError {
    /// The public message with its hint, or the innermost cause if there is one: operators can act on it.
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let mut sentence = error.message().to_owned();
        if let Some(hint) = error.hint() {
            sentence = format!("{sentence} {hint}");
        }
        let mut kind = CommandErrorKind::of(error.code());
        let mut cause = error.source();
        while let Some(inner) = cause {
            let trouble = trouble(inner);
            sentence = trouble.map_or_else(|| inner.to_string(), |trouble| advice(trouble).to_owned());
            kind = trouble.map_or(kind, kind_of);
            cause = inner.source();
        }
        Self::new(kind, sentence)
    }
}

/// The kind of a database fault that an operator can fix.
fn trouble(cause: &(dyn std::error::Error + 'static)) -> Option<SqlErrorKind> {
    match cause.downcast_ref::<RedactedDbError>() {
        Some(error) => error.kind(),
        None => cause.is::<DatabaseTimeoutError>().then_some(SqlErrorKind::Unreachable),
    }
}

/// Only an outage ends by itself.
const fn kind_of(trouble: SqlErrorKind) -> CommandErrorKind {
    match trouble {
        SqlErrorKind::Unreachable
        | SqlErrorKind::Refused
        | SqlErrorKind::UnknownHost
        | SqlErrorKind::TooManyConnections
        | SqlErrorKind::ReadOnly
        | SqlErrorKind::Full
        | SqlErrorKind::Busy => CommandErrorKind::Unavailable,
        SqlErrorKind::NoDatabase
        | SqlErrorKind::Credentials
        | SqlErrorKind::Certificate
        | SqlErrorKind::Pooler
        | SqlErrorKind::Schema
        | SqlErrorKind::File => CommandErrorKind::Failure,
    }
}

/// What to do about it. Quotes nothing from the connection string, which contains the password.
const fn advice(trouble: SqlErrorKind) -> &'static str {
    match trouble {
        SqlErrorKind::Unreachable => {
            "the database is not answering; check DATABASE_URL (or DB_HOST and DB_PORT), and that the server runs"
        }
        SqlErrorKind::Refused => {
            "no database accepts connections at this address; check DATABASE_URL (or DB_HOST and DB_PORT), and that the \
             server runs and listens there"
        }
        SqlErrorKind::UnknownHost => {
            "the name of the database's host has no address; correct DATABASE_URL (or DB_HOST), or check the name server"
        }
        SqlErrorKind::Certificate => {
            "the certificate of the database is not accepted; name its authority in SSL_CERT_FILE, and connect with a \
             host name that the certificate has"
        }
        SqlErrorKind::TooManyConnections => {
            "the database has no connection left; lower SQLALCHEMY_POOL_SIZE, or raise the limit of the database \
             (max_connections) or its pooler"
        }
        SqlErrorKind::Pooler => {
            "the pooler in front of the database does not keep prepared statements apart; use PgBouncer from 1.21 with \
             max_prepared_statements and DB_TRANSACTION_POOLING=true, or its session mode; or set both \
             DB_TRANSACTION_POOLING=true and DB_PREPARED_STATEMENTS=false, which is slower"
        }
        SqlErrorKind::NoDatabase => {
            "the database server has no database of that name; create it, or correct DATABASE_URL (or DB_DATABASE)"
        }
        SqlErrorKind::Credentials => {
            "the database refuses the user or its password; correct DATABASE_URL (or DB_USERNAME and DB_PASSWORD)"
        }
        SqlErrorKind::Schema => {
            "the database lacks a table or column of this version; run `dify-openapi migrate up` (beside Dify, upgrade Dify's database first)"
        }
        SqlErrorKind::File => {
            "the SQLite file cannot be opened as a database; check DATA_DIR or DATABASE_URL, and who may read and write there"
        }
        SqlErrorKind::ReadOnly => {
            "the database accepts no writes; connect to the primary, or make the file and its directory writable"
        }
        SqlErrorKind::Full => "the disk of the database is full; free some space",
        SqlErrorKind::Busy => "the database is busy with somebody else's changes; try again",
    }
}
