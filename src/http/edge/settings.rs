//! Settings and dependencies of the edge.

use std::sync::Arc;

use http::HeaderValue;

use super::forwarded_warning::ForwardedWarning;
use crate::{
    http::{anonymous::AnonymousLimits, client_address::TrustedProxies},
    memory::MemoryLedger,
    telemetry::{metrics::Metrics, request_id::RequestIds},
};

#[derive(Clone)]
pub(crate) struct EdgeSettings {
    pub trusted_proxies: TrustedProxies,
    pub forwarded_warning: Arc<ForwardedWarning>,
    /// Rejects host names other than those of loopback, as in `dev`. Another site may resolve to loopback (DNS
    /// rebinding), but its requests name its own host.
    pub loopback_hosts_only: bool,
    /// Whether browsers reach this service over https, which is when HSTS is sent.
    pub is_https: bool,
    /// Whether every peer of the listener may continue its trace here. Otherwise only trusted proxies may.
    pub trusts_peers: bool,
    pub metrics: Arc<Metrics>,
    pub memory: MemoryLedger,
    pub anonymous: AnonymousLimits,
    pub request_ids: Arc<RequestIds>,
    /// The version of the catalog, for clients of the API.
    pub catalog_version: HeaderValue,
}
