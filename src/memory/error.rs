//! Why memory is not granted.

use std::time::Duration;

use super::{fair_share::NoPlaceError, kind::MemoryKind};
use crate::domain::{Code, Error};

/// The `Retry-After` of a request that is refused for want of memory or of a place.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The ledger refuses a request for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    #[error("the memory for {} is used up", .0.as_str())]
    Exhausted(MemoryKind),
    /// The owner holds so much that the rest is kept for others.
    #[error("the caller's share of the memory for {} is used up", .0.as_str())]
    OwnerExhausted(MemoryKind),
    /// The request exceeds the limit of one owner.
    #[error("more memory for {} than there is", .0.as_str())]
    TooLarge(MemoryKind),
}

impl From<NoPlaceError> for Error {
    fn from(_: NoPlaceError) -> Self {
        Self::rate_limited(RETRY_AFTER)
    }
}

impl From<MemoryError> for Error {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::Exhausted(_) => {
                Self::new(Code::ServiceUnavailable, "This server is at capacity. Try again shortly.")
                    .with_retry_after(RETRY_AFTER)
                    .with_source(error)
            }
            MemoryError::OwnerExhausted(_) => Self::new(
                Code::RateLimited,
                "Your other requests use your share of this server. Wait for some of them to end and try again.",
            )
            .with_retry_after(RETRY_AFTER)
            .with_source(error),
            MemoryError::TooLarge(_) => {
                let message = "This request needs more memory than the server may use for one request.";
                Self::new(Code::RequestEntityTooLarge, message)
                    .with_hint("Send fewer or smaller values.")
                    .with_source(error)
            }
        }
    }
}
