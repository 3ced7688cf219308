//! Metrics: instruments of the OpenTelemetry API, rendered for Prometheus and, when it is on, exported by OTLP.

mod buckets;
pub(crate) mod connections;
pub(crate) mod enterprise;
mod exports;
mod jobs;
mod readiness;
pub(crate) mod runs;
pub(crate) mod stores;
pub(crate) mod upstreams;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram, Meter, MeterProvider as _},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};

use self::{
    buckets::BUCKETS, connections::ConnectionMetrics, enterprise::EnterpriseMetrics, jobs::JobMetrics,
    readiness::ReadinessMetrics, runs::RunMetrics, stores::StoreMetrics, upstreams::UpstreamMetrics,
};
use super::{
    access::{Door, Outcome},
    error::TelemetryError,
    otlp::{self, outcomes::ExportCounts},
};
use crate::{
    config::otlp::Otlp,
    domain::{limit::LimitName, subject::SubjectType},
    memory::{MemoryKind, MemoryLedger},
};

/// The result of a look-up in the token cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// A live token.
    Hit,
    /// A hash without a session.
    Negative,
    /// No entry.
    Miss,
}

impl CacheOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Negative => "negative",
            Self::Miss => "miss",
        }
    }
}

/// The reason why a session ended before it expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// Its owner revoked it.
    Owner,
    /// The same device signed in again.
    Rotated,
    /// The subject had too many sessions with the client.
    Limit,
}

impl RevokeReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Rotated => "rotated",
            Self::Limit => "limit",
        }
    }
}

/// The instruments. Labels are constants, so recording does not allocate and the number of series is bounded.
pub struct Metrics {
    registry: Registry,
    meter: Meter,
    requests: Histogram<f64>,
    calls: Histogram<f64>,
    in_flight: Arc<AtomicI64>,
    rate_limited: Counter<u64>,
    cache: Counter<u64>,
    minted: Counter<u64>,
    revoked: Counter<u64>,
    expired: Counter<u64>,
    login_failures: Counter<u64>,
    pub(crate) connections: ConnectionMetrics,
    pub(crate) enterprise: EnterpriseMetrics,
    pub(crate) jobs: JobMetrics,
    pub(crate) readiness: ReadinessMetrics,
    pub(crate) runs: RunMetrics,
    pub(crate) stores: Arc<StoreMetrics>,
    pub(crate) upstreams: Arc<UpstreamMetrics>,
}

/// Counts a request as in progress until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Creates the instruments of one server and starts their export.
pub(super) fn start(
    otlp: Option<&Otlp>,
    exports: &Arc<ExportCounts>,
) -> Result<(Metrics, SdkMeterProvider), TelemetryError> {
    let registry = Registry::new();
    // Memory, CPU, file descriptors and the start of the process, under Prometheus' own names.
    registry
        .register(Box::new(ProcessCollector::for_self()))
        .map_err(|cause| TelemetryError::Exporter(cause.to_string()))?;
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|cause| TelemetryError::Exporter(cause.to_string()))?;
    let mut builder = SdkMeterProvider::builder().with_reader(reader).with_resource(otlp::resource());
    if let Some(exporter) = otlp.map(|otlp| otlp::metrics(otlp, exports)).transpose()?.flatten() {
        builder = builder.with_periodic_exporter(exporter);
    }
    let provider = builder.build();
    let meter = provider.meter("dify-openapi");
    exports::observe(&meter, exports);
    Ok((Metrics::new(&meter, registry), provider))
}

impl Metrics {
    fn new(meter: &Meter, registry: Registry) -> Self {
        let in_flight = Arc::<AtomicI64>::default();
        let observed = Arc::clone(&in_flight);
        // The provider owns the callback; the instrument is not needed.
        let _ = meter
            .i64_observable_up_down_counter("http.server.active_requests")
            .with_description("Requests in progress.")
            .with_callback(move |gauge| gauge.observe(observed.load(Ordering::Relaxed), &[]))
            .build();
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let duration = |name: &'static str, what: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(what);
            histogram.with_boundaries(BUCKETS.to_vec()).build()
        };
        let requests = duration("http.server.request.duration", "Time of a request over JSON or of a page.");
        let calls = duration("rpc.server.call.duration", "Time of a call over gRPC.");
        Self {
            registry,
            meter: meter.clone(),
            requests,
            calls,
            in_flight,
            rate_limited: counter("openapi.rate_limited", "Requests refused by a rate limit."),
            cache: counter("openapi.token_cache", "Look-ups in the token cache."),
            minted: counter("openapi.tokens.minted", "Tokens issued."),
            revoked: counter("openapi.tokens.revoked", "Sessions revoked before they expired."),
            expired: counter("openapi.tokens.expired", "Expired sessions that were presented."),
            login_failures: counter("openapi.login.failures", "Failed console logins."),
            connections: ConnectionMetrics::new(meter),
            enterprise: EnterpriseMetrics::new(meter),
            jobs: JobMetrics::new(meter),
            readiness: ReadinessMetrics::new(meter),
            runs: RunMetrics::new(meter),
            stores: Arc::new(StoreMetrics::new(meter)),
            upstreams: Arc::new(UpstreamMetrics::new(meter)),
        }
        .start_at_zero()
    }

    pub fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }

    /// Creates the series of the counters, so that a first event is an increase for Prometheus.
    fn start_at_zero(self) -> Self {
        let series = |counter: &Counter<u64>, label: &'static str, values: &[&'static str]| {
            for &value in values {
                counter.add(0, &[KeyValue::new(label, value)]);
            }
        };
        series(&self.rate_limited, "limit", &LimitName::ALL.iter().map(|limit| limit.as_str()).collect::<Vec<_>>());
        series(
            &self.cache,
            "outcome",
            &[CacheOutcome::Hit, CacheOutcome::Negative, CacheOutcome::Miss].map(CacheOutcome::as_str),
        );
        series(
            &self.minted,
            "subject_type",
            &[SubjectType::Account, SubjectType::ExternalSso].map(SubjectType::as_str),
        );
        series(
            &self.revoked,
            "reason",
            &[RevokeReason::Owner, RevokeReason::Rotated, RevokeReason::Limit].map(RevokeReason::as_str),
        );
        self.expired.add(0, &[]);
        for locked in [false, true] {
            self.login_failures.add(0, &[KeyValue::new("locked", locked)]);
        }
        self
    }

    /// Records a request that has ended. `route` is the pattern, as in the access log.
    pub fn request(&self, method: &'static str, route: &'static str, door: Door, outcome: Outcome, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let error = outcome.error_type();
        let is_error = usize::from(error.is_some());
        let error = KeyValue::new("error.type", error.unwrap_or_default());
        if let Some(status) = outcome.grpc_status {
            // The conventions name methods without the slash of the path.
            let attributes = [
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", route.trim_start_matches('/')),
                KeyValue::new("rpc.response.status_code", status),
                error,
            ];
            self.calls.record(seconds, &attributes[..3 + is_error]);
        } else {
            let attributes = [
                KeyValue::new("http.request.method", method),
                KeyValue::new("http.route", route),
                KeyValue::new("http.response.status_code", i64::from(outcome.status)),
                KeyValue::new("door", door.as_str()),
                error,
            ];
            self.requests.record(seconds, &attributes[..4 + is_error]);
        }
    }

    /// Counts a request that a limit rejected.
    pub fn rate_limited(&self, limit: LimitName) {
        self.rate_limited.add(1, &[KeyValue::new("limit", limit.as_str())]);
    }

    /// Counts a look-up in the token cache.
    pub fn cache(&self, outcome: CacheOutcome) {
        self.cache.add(1, &[KeyValue::new("outcome", outcome.as_str())]);
    }

    /// Counts an issued token.
    pub fn minted(&self, subject_type: SubjectType) {
        self.minted.add(1, &[KeyValue::new("subject_type", subject_type.as_str())]);
    }

    /// Counts revoked sessions.
    pub fn revoked(&self, reason: RevokeReason, count: u64) {
        self.revoked.add(count, &[KeyValue::new("reason", reason.as_str())]);
    }

    /// Counts an expired token that was presented.
    pub fn expired(&self) {
        self.expired.add(1, &[]);
    }

    /// Counts a failed login. `locked`: it was rejected before the password was checked.
    pub fn login_failed(&self, locked: bool) {
        self.login_failures.add(1, &[KeyValue::new("locked", locked)]);
    }

    /// Reports the used memory, the limit and the rejected reservations of each kind of work.
    pub(crate) fn observe_memory(&self, memory: &MemoryLedger) {
        let labels = MemoryKind::ALL.map(|kind| (kind, [KeyValue::new("kind", kind.as_str())]));
        let gauge = |name: &'static str, what: &'static str, read: fn(&MemoryLedger, MemoryKind) -> usize| {
            let (memory, labels) = (memory.clone(), labels.clone());
            let _ = self
                .meter
                .u64_observable_gauge(name)
                .with_unit("By")
                .with_description(what)
                .with_callback(move |gauge| {
                    for (kind, label) in &labels {
                        gauge.observe(read(&memory, *kind) as u64, label);
                    }
                })
                .build();
        };
        gauge("openapi.memory.used", "Memory that work of a kind holds.", MemoryLedger::used);
        gauge("openapi.memory.limit", "Memory that work of a kind may hold.", MemoryLedger::limit);
        let memory = memory.clone();
        let _ = self
            .meter
            .u64_observable_counter("openapi.memory.refusals")
            .with_description("Requests for memory that were refused.")
            .with_callback(move |counter| {
                for (kind, label) in &labels {
                    counter.observe(memory.refusals(*kind), label);
                }
            })
            .build();
    }

    /// The metrics in the text format of Prometheus.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
