//! How Dify's service API is called, where app runs are forwarded to it; `DIFY_API_URL` itself is the deployment's.

use std::time::Duration;

use super::reader::Reader;

/// The limits of calls to Dify's service API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifyApi {
    /// `DIFY_API_CONNECT_TIMEOUT`, in seconds: how long making a connection may take.
    pub connect_timeout: Duration,
    /// `DIFY_API_FIRST_BYTE_TIMEOUT`, in seconds: how long the first byte of a run may take.
    pub first_byte_timeout: Duration,
    /// `DIFY_API_MAX_CONNECTIONS`: runs forwarded at the same time at most.
    pub max_connections: usize,
}

impl DifyApi {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            connect_timeout: Duration::from_secs(reader.number("DIFY_API_CONNECT_TIMEOUT", 5, 1..=60)),
            first_byte_timeout: Duration::from_secs(reader.number("DIFY_API_FIRST_BYTE_TIMEOUT", 60, 1..=600)),
            max_connections: reader.number("DIFY_API_MAX_CONNECTIONS", 1_000, 1..=100_000),
        }
    }
}
