//! What is counted: instruments of the OpenTelemetry API, rendered for Prometheus and exported by OTLP when that is on.

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
use prometheus::{Registry, TextEncoder};

use super::{access::Door, error::TelemetryError, otlp};
use crate::{
    config::telemetry::Otlp,
    domain::{limit::LimitName, subject::SubjectType},
    memory::{MemoryKind, MemoryLedger},
};

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What the token cache said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// It knew a live token.
    Hit,
    /// It knew a dead token.
    Negative,
    /// It knew nothing.
    Miss,
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokeReason {
    /// Its owner ended it.
    Owner,
    /// The same device signed in again.
    Rotated,
    /// The subject had too many sessions with the client.
    Limit,
}

/// The instruments. Every label is a fixed word, so that recording allocates nothing and cardinality has a bound.
pub struct Metrics {
    registry: Registry,
    meter: Meter,
    duration: Histogram<f64>,
    in_flight: Arc<AtomicI64>,
    rate_limited: Counter<u64>,
    cache: Counter<u64>,
    minted: Counter<u64>,
    revoked: Counter<u64>,
    expired: Counter<u64>,
    login_failures: Counter<u64>,
}

/// Counts a request as under way for as long as it lives.
#[derive(Debug)]
pub struct InFlight(Arc<AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts the instruments of one server, and their export.
pub(super) fn start(otlp: Option<&Otlp>) -> Result<(Metrics, SdkMeterProvider), TelemetryError> {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .without_target_info()
        .build()
        .map_err(|cause| TelemetryError::Exporter(cause.to_string()))?;
    let mut builder = SdkMeterProvider::builder().with_reader(reader).with_resource(otlp::resource());
    if let Some(otlp) = otlp {
        builder = builder.with_periodic_exporter(otlp::metrics(otlp)?);
    }
    let provider = builder.build();
    Ok((Metrics::new(&provider.meter("dify-openapi"), registry), provider))
}

impl Metrics {
    fn new(meter: &Meter, registry: Registry) -> Self {
        let in_flight = Arc::<AtomicI64>::default();
        let observed = Arc::clone(&in_flight);
        // The provider keeps the callback; the handle is only a handle.
        let _ = meter
            .i64_observable_up_down_counter("http.server.active_requests")
            .with_description("Requests in progress.")
            .with_callback(move |gauge| gauge.observe(observed.load(Ordering::Relaxed), &[]))
            .build();
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let duration = meter
            .f64_histogram("http.server.request.duration")
            .with_unit("s")
            .with_description("Time from a request's headers to its response's.")
            .with_boundaries(BUCKETS.to_vec())
            .build();
        Self {
            registry,
            meter: meter.clone(),
            duration,
            in_flight,
            rate_limited: counter("openapi.rate_limited", "Requests refused by a rate limit."),
            cache: counter("openapi.token_cache", "Look-ups in the token cache."),
            minted: counter("openapi.tokens.minted", "Tokens issued."),
            revoked: counter("openapi.tokens.revoked", "Sessions revoked before they expired."),
            expired: counter("openapi.tokens.expired", "Expired sessions that were presented."),
            login_failures: counter("openapi.login.failures", "Failed console logins."),
        }
    }

    /// Counts a request as under way.
    pub fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }

    /// A request was answered. `route` is the pattern, as in the access log.
    pub fn request(&self, route: &'static str, door: Door, status: u16, duration: Duration) {
        let attributes = [
            KeyValue::new("http.route", route),
            KeyValue::new("door", door.as_str()),
            KeyValue::new("status_class", status_class(status)),
        ];
        self.duration.record(duration.as_secs_f64(), &attributes);
    }

    /// A limit refused a request.
    pub fn rate_limited(&self, limit: LimitName) {
        self.rate_limited.add(1, &[KeyValue::new("limit", limit.as_str())]);
    }

    /// The token cache was asked.
    pub fn cache(&self, outcome: CacheOutcome) {
        let outcome = match outcome {
            CacheOutcome::Hit => "hit",
            CacheOutcome::Negative => "negative",
            CacheOutcome::Miss => "miss",
        };
        self.cache.add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// A token was issued.
    pub fn minted(&self, subject_type: SubjectType) {
        self.minted.add(1, &[KeyValue::new("subject_type", subject_type.as_str())]);
    }

    /// Sessions were ended.
    pub fn revoked(&self, reason: RevokeReason, count: u64) {
        let reason = match reason {
            RevokeReason::Owner => "owner",
            RevokeReason::Rotated => "rotated",
            RevokeReason::Limit => "limit",
        };
        self.revoked.add(count, &[KeyValue::new("reason", reason)]);
    }

    /// A session was found past its end.
    pub fn expired(&self) {
        self.expired.add(1, &[]);
    }

    /// A login failed; `locked` when the password was not even looked at.
    pub fn login_failed(&self, locked: bool) {
        self.login_failures.add(1, &[KeyValue::new("locked", locked)]);
    }

    /// Reports what each kind of work holds of the memory, may hold, and was refused.
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

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

const fn status_class(status: u16) -> &'static str {
    match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
