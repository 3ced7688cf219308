//! Why a command ended, as it is said: one sentence with the fix for each fault.

use std::{fmt, io::Write as _, process::ExitCode};

use crate::{
    config::Problems,
    domain::{Code, Error},
    store::sql::error::{DatabaseTimeoutError, RedactedDbError, SqlErrorKind},
};

/// Why a command ended: one sentence a fault, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    sentences: Vec<String>,
    /// 2 when what was typed or configured is at fault, 1 otherwise.
    pub(super) code: u8,
}

impl Failure {
    /// What was typed or configured is at fault.
    pub(crate) fn usage(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 2 }
    }

    /// Something else is.
    pub(crate) fn other(sentence: impl fmt::Display) -> Self {
        Self { sentences: vec![sentence.to_string()], code: 1 }
    }

    /// Says it on standard error and becomes the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        for sentence in &self.sentences {
            // Whoever closed standard error does not want to know.
            let _ = writeln!(std::io::stderr(), "error: {sentence}");
        }
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences.join("\n"))
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self { sentences: problems.0.into_iter().map(|problem| problem.sentence).collect(), code: 2 }
    }
}

impl From<Error> for Failure {
    /// The public sentence with its hint; where the fault is inside, its cause, which an operator can act on.
    fn from(error: Error) -> Self {
        use std::error::Error as _;
        let mut sentence = error.message().to_owned();
        if let Some(hint) = error.hint() {
            sentence = format!("{sentence} {hint}");
        }
        let mut cause = error.source();
        while let Some(inner) = cause {
            sentence = trouble(inner).map_or_else(|| inner.to_string(), |trouble| advice(trouble).to_owned());
            cause = inner.source();
        }
        match error.code() {
            // No such account, a name that is taken: another word on the command line would do.
            Code::NotFound | Code::InvalidParam | Code::InvalidRequest => Self::usage(sentence),
            _ => Self::other(sentence),
        }
    }
}

/// What is the matter with the database, where somebody can do something about it.
fn trouble(cause: &(dyn std::error::Error + 'static)) -> Option<SqlErrorKind> {
    match cause.downcast_ref::<RedactedDbError>() {
        Some(fault) => fault.trouble(),
        None => cause.is::<DatabaseTimeoutError>().then_some(SqlErrorKind::Away),
    }
}

/// What to do about it. Nothing of the connection string is quoted: it holds the password.
const fn advice(trouble: SqlErrorKind) -> &'static str {
    match trouble {
        SqlErrorKind::Away => {
            "the database is not answering; check DATABASE_URL (or DB_HOST and DB_PORT), and that the server runs"
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
        SqlErrorKind::Busy => "the database is busy with somebody else's changes; try again",
    }
}
