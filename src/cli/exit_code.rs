//! The exit codes of failed commands. The manual page lists them under EXIT STATUS.

use crate::domain::Code;

/// Why a command failed. Its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandErrorKind {
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Conflict = 4,
    Refused = 5,
    Unavailable = 6,
}

impl CommandErrorKind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Failure, Self::Usage, Self::NotFound, Self::Conflict, Self::Refused, Self::Unavailable];

    pub(crate) const fn exit_code(self) -> u8 {
        self as u8
    }

    /// The text of the manual page.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Failure => "Any other failure, such as a database that the command cannot work with.",
            Self::Usage => "The command line, the configuration or an input file has to change.",
            Self::NotFound => "An account, workspace, app, session, change or file that was named does not exist.",
            Self::Conflict => "It exists already, several have the given name, or another process uses it.",
            Self::Refused => "It is not allowed here, or needs a confirmation.",
            Self::Unavailable => "The database or Redis does not answer, or is busy; the command may be repeated.",
        }
    }

    /// The kind of a domain error. No command meets the codes that are not listed.
    pub(crate) const fn of(code: Code) -> Self {
        match code {
            Code::InvalidRequest | Code::InvalidParam => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists | Code::AmbiguousAppName => Self::Conflict,
            Code::AccessDenied
            | Code::AppUnavailable
            | Code::BearerAuthDisabled
            | Code::LicenseRequired
            | Code::MintPolicyViolation => Self::Refused,
            Code::ServiceUnavailable | Code::UpstreamError | Code::UpstreamTimeout | Code::DeadlineExceeded => {
                Self::Unavailable
            }
            _ => Self::Failure,
        }
    }
}
