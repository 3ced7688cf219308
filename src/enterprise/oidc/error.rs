//! Failures of requests to the provider. The text is for the log.

use crate::domain::{Code, Error};

/// Why a request to the provider failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the identity provider is unreachable")]
    Unreachable(#[source] reqwest::Error),
    #[error("the identity provider did not answer in time")]
    TimedOut,
    #[error("the identity provider answered with status {0}")]
    Status(u16),
    #[error("the answer of the identity provider is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer of the identity provider is not the expected JSON")]
    Malformed(#[source] serde_json::Error),
    #[error("{0}")]
    Metadata(String),
    #[error("the metadata of the identity provider is not known yet")]
    NotDiscovered,
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::TimedOut => Self::new(Code::UpstreamTimeout, "The identity provider did not answer in time."),
            _ => Self::new(Code::UpstreamError, "The identity provider cannot be reached, or its answer is invalid."),
        }
        .with_hint("Try again in a few minutes.")
        .with_source(error)
    }
}
