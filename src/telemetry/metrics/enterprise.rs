//! Metrics of the enterprise service: requests to it, its kept answers, its circuit breaker.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

/// What a request to the enterprise service is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnterpriseOperation {
    /// License and single sign-on.
    Info,
    AccessMode,
    Permission,
    ExternalApps,
    TokenLifetime,
    SignIn,
}

impl EnterpriseOperation {
    const ALL: [Self; 6] =
        [Self::Info, Self::AccessMode, Self::Permission, Self::ExternalApps, Self::TokenLifetime, Self::SignIn];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::AccessMode => "access_mode",
            Self::Permission => "permission",
            Self::ExternalApps => "external_apps",
            Self::TokenLifetime => "token_lifetime",
            Self::SignIn => "sign_in",
        }
    }
}

/// How a request to the enterprise service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EnterpriseOutcome {
    Answered,
    /// The answer was an error status.
    Rejected,
    /// The answer had another form, or was too long.
    Malformed,
    TimedOut,
    Unreachable,
    /// The circuit breaker was open, or too many requests were in progress.
    NotSent,
}

impl EnterpriseOutcome {
    const ALL: [Self; 6] =
        [Self::Answered, Self::Rejected, Self::Malformed, Self::TimedOut, Self::Unreachable, Self::NotSent];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::Malformed => "malformed",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::NotSent => "not_sent",
        }
    }
}

/// A kept answer of the enterprise service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerCache {
    License,
    Permission,
    SignIn,
    TokenLifetime,
}

impl AnswerCache {
    const ALL: [Self; 4] = [Self::License, Self::Permission, Self::SignIn, Self::TokenLifetime];

    const fn as_str(self) -> &'static str {
        match self {
            Self::License => "license",
            Self::Permission => "permission",
            Self::SignIn => "sign_in",
            Self::TokenLifetime => "token_lifetime",
        }
    }
}

/// The instruments.
pub(crate) struct EnterpriseMetrics {
    meter: Meter,
    calls: Counter<u64>,
    cache: Counter<u64>,
}

impl EnterpriseMetrics {
    /// Creates the series of the counters, too.
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name: &'static str, what: &'static str| meter.u64_counter(name).with_description(what).build();
        let metrics = Self {
            meter: meter.clone(),
            calls: counter("openapi.enterprise.requests", "Requests to the enterprise service."),
            cache: counter("openapi.enterprise.cache", "Look-ups of kept answers of the enterprise service."),
        };
        for operation in EnterpriseOperation::ALL {
            for outcome in EnterpriseOutcome::ALL {
                metrics.add_call(operation, outcome, 0);
            }
        }
        for cache in AnswerCache::ALL {
            for is_hit in [true, false] {
                metrics.add_look_up(cache, is_hit, 0);
            }
        }
        metrics
    }

    /// Counts a request that has ended.
    pub(crate) fn call(&self, operation: EnterpriseOperation, outcome: EnterpriseOutcome) {
        self.add_call(operation, outcome, 1);
    }

    /// Counts a look-up of a kept answer.
    pub(crate) fn look_up(&self, cache: AnswerCache, is_hit: bool) {
        self.add_look_up(cache, is_hit, 1);
    }

    /// Reports whether the circuit breaker holds requests back: 1 or 0.
    pub(crate) fn observe_breaker(&self, is_open: impl Fn() -> bool + Send + Sync + 'static) {
        let _ = self
            .meter
            .u64_observable_gauge("openapi.enterprise.circuit_open")
            .with_description("Whether requests to the enterprise service are held back after failures.")
            .with_callback(move |gauge| gauge.observe(u64::from(is_open()), &[]))
            .build();
    }

    fn add_call(&self, operation: EnterpriseOperation, outcome: EnterpriseOutcome, count: u64) {
        let labels = [KeyValue::new("operation", operation.as_str()), KeyValue::new("outcome", outcome.as_str())];
        self.calls.add(count, &labels);
    }

    fn add_look_up(&self, cache: AnswerCache, is_hit: bool, count: u64) {
        let outcome = if is_hit { "hit" } else { "miss" };
        self.cache.add(count, &[KeyValue::new("cache", cache.as_str()), KeyValue::new("outcome", outcome)]);
    }
}
