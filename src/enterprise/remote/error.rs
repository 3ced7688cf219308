//! Failures of requests to the enterprise service. They are logged and never sent to callers.

use crate::{
    domain::{Code, Error},
    telemetry::metrics::enterprise::EnterpriseOutcome,
};

/// A failed request. It is cloned to all callers that share the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("the enterprise service does not answer: {0}")]
    Unreachable(String),
    #[error("the enterprise service exceeded the time limit")]
    TimedOut,
    #[error("the enterprise service answered {status}: {message}")]
    Status { status: u16, message: String },
    #[error("the enterprise service sent an answer of another form: {0}")]
    Malformed(String),
    #[error("the enterprise service sent more than {0} bytes")]
    TooLong(usize),
    #[error("too many requests to the enterprise service are under way")]
    Busy,
    #[error("requests to the enterprise service are held back for some seconds, because it failed repeatedly")]
    CircuitOpen,
    #[error("the request to the enterprise service was cancelled")]
    Cancelled,
}

impl RemoteError {
    /// Whether a read may be sent once more: the failure may belong to one connection or one replica.
    pub(super) fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Status { status: 502..=504, .. })
    }

    /// Whether the service itself fails. A 4xx is an answer of a service that works.
    pub(super) fn is_failure_of_the_service(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut | Self::Malformed(_) | Self::TooLong(_) => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Busy | Self::CircuitOpen | Self::Cancelled => false,
        }
    }

    pub(super) fn outcome(&self) -> EnterpriseOutcome {
        match self {
            Self::Unreachable(_) => EnterpriseOutcome::Unreachable,
            Self::TimedOut => EnterpriseOutcome::TimedOut,
            Self::Status { .. } => EnterpriseOutcome::Rejected,
            Self::Malformed(_) | Self::TooLong(_) => EnterpriseOutcome::Malformed,
            Self::Busy | Self::CircuitOpen | Self::Cancelled => EnterpriseOutcome::NotSent,
        }
    }

    /// The error of a gate that cannot decide.
    pub(super) fn into_unavailable(self) -> Error {
        Error::unavailable(self)
    }

    /// The error of the list of permitted apps.
    pub(super) fn into_list_unavailable(self) -> Error {
        let code = Code::PermittedExternalAppsUnavailable;
        let retry_after = std::time::Duration::from_secs(5);
        Error::new(code, "The permitted apps cannot be listed right now. Try again shortly.")
            .with_retry_after(retry_after)
            .with_source(self)
    }

    /// The error of a sign-in that cannot start.
    pub(super) fn into_upstream_error(self) -> Error {
        Error::new(Code::UpstreamError, "Single sign-on is not answering. Try again shortly.").with_source(self)
    }
}
