//! The address, key and limits of the enterprise service.

use std::time::Duration;

use chrono::TimeDelta;
use url::Url;

use crate::{domain::secret::Secret, http_client::HttpClients};

#[derive(Clone, Debug)]
pub(crate) struct RemoteSettings {
    /// `ENTERPRISE_API_URL`, with its path prefix.
    pub(crate) url: Url,
    /// Sent as `Enterprise-Api-Secret-Key`.
    pub(crate) secret_key: Secret,
    pub(crate) limits: RemoteLimits,
    pub(crate) clients: HttpClients,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct RemoteLimits {
    pub(crate) connect_timeout: Duration,
    /// For a request with its retry and the body of the answer.
    pub(crate) total_timeout: Duration,
    /// Requests at the same time in this process. Each may hold an answer of a megabyte.
    pub(crate) max_concurrent: usize,
    /// Failures in a row after which the circuit breaker opens.
    pub(crate) max_failures: u32,
    /// How long the circuit breaker stays open.
    pub(crate) open_for: TimeDelta,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            total_timeout: Duration::from_secs(5),
            max_concurrent: 64,
            max_failures: 5,
            open_for: TimeDelta::seconds(5),
        }
    }
}
