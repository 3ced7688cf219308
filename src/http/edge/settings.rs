//! What the edge depends on.

use std::sync::Arc;

use crate::{
    http::client_address::TrustedProxies,
    telemetry::{metrics::Metrics, request_id::RequestIds},
};

pub(crate) struct EdgeSettings {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whether other host names than loopback ones are rejected, as in `dev`: a page of another site may resolve to
    /// loopback (DNS rebinding), but its requests carry its own host name.
    pub loopback_hosts_only: bool,
    pub metrics: Arc<Metrics>,
    pub request_ids: Arc<RequestIds>,
}
