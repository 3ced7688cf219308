//! Metrics of calls to other servers over HTTP.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter},
};

use super::buckets::BUCKETS;

/// A system that this service calls over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// The endpoint of models.
    Model,
    /// Dify's service API.
    Dify,
    /// The OpenID provider.
    IdentityProvider,
    /// The enterprise service.
    Enterprise,
    /// Dify's plugin daemon.
    PluginDaemon,
}

impl Upstream {
    const ALL: [Self; 5] = [Self::Model, Self::Dify, Self::IdentityProvider, Self::Enterprise, Self::PluginDaemon];

    /// Its name in spans and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dify => "dify",
            Self::IdentityProvider => "identity-provider",
            Self::Enterprise => "dify-enterprise",
            Self::PluginDaemon => "plugin-daemon",
        }
    }
}

/// How a call ended. A body that is interrupted later does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamOutcome {
    /// The status was neither 4xx nor 5xx.
    Answered,
    ClientError,
    ServerError,
    TimedOut,
    NoResponse,
    /// The call was dropped, such as by the timeout of a request.
    Cancelled,
}

impl UpstreamOutcome {
    const ALL: [Self; 6] =
        [Self::Answered, Self::ClientError, Self::ServerError, Self::TimedOut, Self::NoResponse, Self::Cancelled];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ClientError => "client_error",
            Self::ServerError => "server_error",
            Self::TimedOut => "timed_out",
            Self::NoResponse => "no_response",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The instruments of calls to other servers.
#[derive(Debug)]
pub struct UpstreamMetrics {
    calls: Counter<u64>,
    durations: Histogram<f64>,
}

impl UpstreamMetrics {
    /// Creates the series of the counter, too.
    pub(super) fn new(meter: &Meter) -> Self {
        let metrics = Self {
            calls: meter
                .u64_counter("openapi.upstream.calls")
                .with_description("Calls to other servers over HTTP, by outcome.")
                .build(),
            durations: meter
                .f64_histogram("http.client.request.duration")
                .with_unit("s")
                .with_description("Time until another server sent the headers of its response, or the call failed.")
                .with_boundaries(BUCKETS.to_vec())
                .build(),
        };
        for upstream in Upstream::ALL {
            for outcome in UpstreamOutcome::ALL {
                metrics.add(upstream, outcome, 0);
            }
        }
        metrics
    }

    /// Counts a call that has ended.
    pub(crate) fn ended(&self, upstream: Upstream, outcome: UpstreamOutcome, duration: Duration) {
        self.add(upstream, outcome, 1);
        self.durations.record(duration.as_secs_f64(), &[KeyValue::new("peer", upstream.as_str())]);
    }

    fn add(&self, upstream: Upstream, outcome: UpstreamOutcome, count: u64) {
        let labels = [KeyValue::new("peer", upstream.as_str()), KeyValue::new("outcome", outcome.as_str())];
        self.calls.add(count, &labels);
    }
}

impl Default for UpstreamMetrics {
    /// Instruments that record nothing.
    fn default() -> Self {
        Self::new(&opentelemetry::global::meter("none"))
    }
}
