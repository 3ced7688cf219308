//! Metrics of readiness.

use opentelemetry::{
    KeyValue,
    metrics::{Gauge, Meter},
};

/// The checks of a server.
const CHECKS: [&str; 2] = ["sql", "state"];

/// The instruments of readiness. They hold the results of the last check.
#[derive(Debug)]
pub(crate) struct ReadinessMetrics {
    ready: Gauge<u64>,
    checks: Gauge<u64>,
}

impl ReadinessMetrics {
    /// Creates the series, too.
    pub(super) fn new(meter: &Meter) -> Self {
        let gauge = |name: &'static str, what: &'static str| meter.u64_gauge(name).with_description(what).build();
        let metrics = Self {
            ready: gauge("openapi.ready", "Whether this process accepts requests: 1 or 0."),
            checks: gauge("openapi.ready.checks", "Whether a dependency can be used as a whole: 1 or 0."),
        };
        metrics.ready(false);
        for name in CHECKS {
            metrics.check(name, false);
        }
        metrics
    }

    pub(crate) fn ready(&self, is_ready: bool) {
        self.ready.record(is_ready.into(), &[]);
    }

    pub(crate) fn check(&self, name: &'static str, is_ok: bool) {
        self.checks.record(is_ok.into(), &[KeyValue::new("check", name)]);
    }
}
