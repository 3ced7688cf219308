//! The limits of calls to Dify's service API. Its URL is in the deployment.

use std::time::Duration;

use super::{reader::Reader, settings};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DifyApi {
    pub connect_timeout: Duration,
    pub first_byte_timeout: Duration,
    pub max_connections: usize,
}

impl DifyApi {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            connect_timeout: Duration::from_secs(reader.number(&settings::DIFY_API_CONNECT_TIMEOUT, 1..=60)),
            first_byte_timeout: Duration::from_secs(reader.number(&settings::DIFY_API_FIRST_BYTE_TIMEOUT, 1..=600)),
            max_connections: reader.number(&settings::DIFY_API_MAX_CONNECTIONS, 1..=100_000),
        }
    }
}
