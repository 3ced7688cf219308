//! Metrics of the database and of Redis, under the names of OpenTelemetry's conventions.

use std::{fmt, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
};

use super::buckets::BUCKETS;
use crate::{
    domain::Code,
    ports::store_observer::{StoreCall, StoreObserver},
};

pub(crate) struct StoreMetrics {
    meter: Meter,
    durations: Histogram<f64>,
}

impl StoreMetrics {
    pub(super) fn new(meter: &Meter) -> Self {
        let durations = meter
            .f64_histogram("db.client.operation.duration")
            .with_unit("s")
            .with_description("Time of a call to the database or to Redis, with the wait for a connection.")
            .with_boundaries(BUCKETS.to_vec())
            .build();
        Self { meter: meter.clone(), durations }
    }

    /// Reports the connections of the SQL pool. `read` returns the open ones, and of these the idle ones.
    pub(crate) fn observe_sql_pool(&self, limit: u32, read: impl Fn() -> [u32; 2] + Send + Sync + 'static) {
        let pool = KeyValue::new("db.client.connection.pool.name", "sql");
        let state = |state: &'static str| [pool.clone(), KeyValue::new("db.client.connection.state", state)];
        let (idle_label, used_label) = (state("idle"), state("used"));
        // The provider owns the callbacks; the instruments are not needed.
        let _ = self
            .meter
            .i64_observable_up_down_counter("db.client.connection.count")
            .with_description("Connections of the pool.")
            .with_callback(move |count| {
                let [open, idle] = read();
                count.observe(idle.into(), &idle_label);
                count.observe(open.saturating_sub(idle).into(), &used_label);
            })
            .build();
        let _ = self
            .meter
            .i64_observable_up_down_counter("db.client.connection.max")
            .with_description("Maximum of connections of the pool.")
            .with_callback(move |max| max.observe(limit.into(), std::slice::from_ref(&pool)))
            .build();
    }
}

impl fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreMetrics")
    }
}

impl StoreObserver for StoreMetrics {
    fn record(&self, call: StoreCall, duration: Duration, error: Option<Code>) {
        let attributes = [
            KeyValue::new("db.system.name", call.system),
            KeyValue::new("db.operation.name", call.operation),
            KeyValue::new("error.type", error.map_or("", Code::as_str)),
        ];
        self.durations.record(duration.as_secs_f64(), &attributes[..2 + usize::from(error.is_some())]);
    }
}
