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

    /// Reports the connections to the database, and to Redis if there is one. `read_sql` returns the open connections, and
    /// of these the idle ones; `read_redis` the open ones, which are always in use because commands share them.
    pub(crate) fn observe_pools(
        &self,
        maxima: [Option<u32>; 2],
        read_sql: impl Fn() -> [u32; 2] + Send + Sync + 'static,
        read_redis: impl Fn() -> Option<u32> + Send + Sync + 'static,
    ) {
        let label = |pool: &'static str| KeyValue::new("db.client.connection.pool.name", pool);
        let state = |pool, state: &'static str| [label(pool), KeyValue::new("db.client.connection.state", state)];
        let [idle, used, of_redis] = [state("sql", "idle"), state("sql", "used"), state("redis", "used")];
        // The provider owns the callbacks; the instruments are not needed.
        let _ = self
            .meter
            .i64_observable_up_down_counter("db.client.connection.count")
            .with_description("Connections of the pool.")
            .with_callback(move |count| {
                let [open, unused] = read_sql();
                count.observe(unused.into(), &idle);
                count.observe(open.saturating_sub(unused).into(), &used);
                if let Some(open) = read_redis() {
                    count.observe(open.into(), &of_redis);
                }
            })
            .build();
        let pools = ["sql", "redis"].map(label);
        let _ = self
            .meter
            .i64_observable_up_down_counter("db.client.connection.max")
            .with_description("Maximum of connections of the pool.")
            .with_callback(move |max| {
                for (limit, pool) in maxima.into_iter().zip(&pools) {
                    if let Some(limit) = limit {
                        max.observe(limit.into(), std::slice::from_ref(pool));
                    }
                }
            })
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
