//! Metrics: instruments of the OpenTelemetry API, rendered for Prometheus and, when it is on, exported by OTLP.

mod buckets;
pub(crate) mod connections;
pub(crate) mod enterprise;
mod exemplars;
mod exports;
mod jobs;
mod openmetrics;
mod readiness;
pub(crate) mod requests;
pub(crate) mod runs;
mod shared_reader;
pub(crate) mod sign_ins;
pub(crate) mod stores;
pub(crate) mod upstreams;

use std::sync::Arc;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter, MeterProvider as _},
};
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality, exporter::PushMetricExporter as _};
use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};

use self::{
    connections::ConnectionMetrics, enterprise::EnterpriseMetrics, jobs::JobMetrics, readiness::ReadinessMetrics,
    requests::RequestMetrics, runs::RunMetrics, shared_reader::SharedReader, sign_ins::SignInMetrics,
    stores::StoreMetrics, upstreams::UpstreamMetrics,
};
use super::{
    error::TelemetryError,
    otlp::{self, outcomes::ExportCounts},
    sink::Sink,
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
    pub(crate) requests: RequestMetrics,
    pub(crate) runs: RunMetrics,
    pub(crate) sign_ins: SignInMetrics,
    pub(crate) stores: Arc<StoreMetrics>,
    pub(crate) upstreams: Arc<UpstreamMetrics>,
}

/// The format of rendered metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsFormat {
    /// The text format of Prometheus.
    Prometheus,
    /// The text format of OpenMetrics, which has exemplars.
    OpenMetrics,
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
    let builder = SdkMeterProvider::builder().with_resource(otlp::resource());
    let builder = match otlp.map(|otlp| otlp::metrics(otlp, exports)).transpose()?.flatten() {
        None => builder.with_reader(reader),
        Some(exporter) if exporter.temporality() == Temporality::Cumulative => {
            builder.with_reader(SharedReader::new(reader, exporter))
        }
        Some(exporter) => builder.with_reader(reader).with_periodic_exporter(exporter),
    };
    let provider = builder.build();
    let meter = provider.meter("dify-openapi");
    exports::observe(&meter, exports);
    // An exemplar is useful only when its span is exported.
    let keeps_exemplars = otlp.is_some_and(|otlp| otlp.traces.is_some() && otlp.exemplars);
    Ok((Metrics::new(&meter, registry, keeps_exemplars), provider))
}

impl Metrics {
    fn new(meter: &Meter, registry: Registry, keeps_exemplars: bool) -> Self {
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        Self {
            registry,
            meter: meter.clone(),
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
            requests: RequestMetrics::new(meter, keeps_exemplars),
            runs: RunMetrics::new(meter),
            sign_ins: SignInMetrics::new(meter),
            stores: Arc::new(StoreMetrics::new(meter)),
            upstreams: Arc::new(UpstreamMetrics::new(meter)),
        }
        .start_at_zero()
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

    /// Reports the lines of the log that were dropped because its reader stalls.
    pub(super) fn observe_log(&self, log: &Sink) {
        let log = log.clone();
        let _ = self
            .meter
            .u64_observable_counter("openapi.log.lines.dropped")
            .with_description("Lines of the log for which there was no space.")
            .with_callback(move |counter| counter.observe(log.dropped(), &[]))
            .build();
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

    pub(crate) fn render(&self, format: MetricsFormat) -> Result<String, prometheus::Error> {
        let families = self.registry.gather();
        match format {
            MetricsFormat::Prometheus => TextEncoder::new().encode_to_string(&families),
            MetricsFormat::OpenMetrics => openmetrics::encode(&families, &self.requests.exemplars())
                .map_err(|cause| prometheus::Error::Msg(cause.to_string())),
        }
    }
}
