//! Why an outbound request has no response, in words for the author of the app.

use super::address::UnreachableHostError;
use crate::memory::MemoryError;

/// Redirects that are followed.
pub(super) const MAX_REDIRECTS: usize = 5;

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    /// No request can be sent to this URL.
    #[error("{0}")]
    Url(&'static str),
    #[error(transparent)]
    Unreachable(#[from] UnreachableHostError),
    #[error("more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
    /// The body exceeds `limit` bytes.
    #[error("the response is larger than {limit} bytes")]
    TooLarge { limit: usize },
    /// The app and its workspace have as many requests under way as they may.
    #[error("this workspace has too many HTTP requests under way; try again shortly")]
    ShareUsed,
    /// There is no memory for the response.
    #[error("the responses under way use the share of this workspace; try again shortly")]
    Memory(#[from] MemoryError),
    #[error("no response in time")]
    TimedOut,
    /// The server cannot be reached, or closed the connection early.
    #[error("the request failed: {0}")]
    Failed(String),
}
