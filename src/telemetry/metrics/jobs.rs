//! Metrics of background jobs.

use chrono::{DateTime, Utc};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Meter},
};

/// The instruments of jobs.
#[derive(Debug)]
pub(crate) struct JobMetrics {
    runs: Counter<u64>,
    last_success: Gauge<u64>,
}

impl JobMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        Self {
            runs: meter.u64_counter("openapi.jobs.runs").with_description("Runs of background jobs.").build(),
            last_success: meter
                .u64_gauge("openapi.jobs.last_success")
                .with_unit("s")
                .with_description("Unix time at which a job last succeeded in this process; 0 before.")
                .build(),
        }
    }

    /// Creates the series of a job.
    pub(crate) fn start(&self, job: &'static str) {
        self.add(job, "success", 0);
        self.add(job, "failure", 0);
        self.last_success.record(0, &[KeyValue::new("job", job)]);
    }

    pub(crate) fn succeeded(&self, job: &'static str, at: DateTime<Utc>) {
        self.add(job, "success", 1);
        self.last_success.record(at.timestamp().try_into().unwrap_or_default(), &[KeyValue::new("job", job)]);
    }

    pub(crate) fn failed(&self, job: &'static str) {
        self.add(job, "failure", 1);
    }

    fn add(&self, job: &'static str, outcome: &'static str, count: u64) {
        self.runs.add(count, &[KeyValue::new("job", job), KeyValue::new("outcome", outcome)]);
    }
}
