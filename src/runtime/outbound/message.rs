//! An outbound request and its response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::memory::MemoryPermit;

#[derive(Clone, Debug)]
pub(crate) struct OutboundRequest {
    pub method: Method,
    /// `http` or `https`, without user name and password.
    pub url: Url,
    /// Headers other than those that the connection sets.
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    /// Longest wait for the next part of the response; at most `MAX_READ_TIMEOUT`.
    pub read_timeout: Duration,
}

#[derive(Debug)]
pub(crate) struct OutboundResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body as received, still compressed if it was.
    pub body: Bytes,
    /// The memory of the body; dropped with it.
    pub memory: MemoryPermit,
}

impl OutboundResponse {
    /// The body with its memory.
    pub(crate) fn into_body(self) -> (Bytes, MemoryPermit) {
        (self.body, self.memory)
    }
}
