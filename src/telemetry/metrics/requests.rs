//! Metrics of requests: their durations, with exemplars, and the requests in progress.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, Meter},
    trace::SpanContext,
};

use super::{
    buckets::BUCKETS,
    exemplars::{Exemplars, Series, Snapshot},
};
use crate::telemetry::access::{Door, Outcome};

pub(crate) struct RequestMetrics {
    requests: Histogram<f64>,
    calls: Histogram<f64>,
    in_flight: Arc<AtomicI64>,
    /// `None` when the server keeps no exemplars.
    exemplars: Option<Exemplars>,
}

/// Counts a request as in progress until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<AtomicI64>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RequestMetrics {
    pub(super) fn new(meter: &Meter, keeps_exemplars: bool) -> Self {
        let in_flight = Arc::<AtomicI64>::default();
        let observed = Arc::clone(&in_flight);
        // The provider owns the callback; the instrument is not needed.
        let _ = meter
            .i64_observable_up_down_counter("http.server.active_requests")
            .with_description("Requests in progress.")
            .with_callback(move |gauge| gauge.observe(observed.load(Ordering::Relaxed), &[]))
            .build();
        let duration = |name: &'static str, what: &'static str| {
            let histogram = meter.f64_histogram(name).with_unit("s").with_description(what);
            histogram.with_boundaries(BUCKETS.to_vec()).build()
        };
        Self {
            requests: duration("http.server.request.duration", "Time of a request over JSON or of a page."),
            calls: duration("rpc.server.call.duration", "Time of a call over gRPC."),
            in_flight,
            exemplars: keeps_exemplars.then(Exemplars::default),
        }
    }

    pub(crate) fn begin(&self) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(&self.in_flight))
    }

    /// Records a request that has ended. `route` is the pattern, as in the access log; `exported` is its span if the
    /// span is sampled.
    pub(crate) fn record(
        &self,
        method: &'static str,
        route: &'static str,
        door: Door,
        outcome: Outcome,
        duration: Duration,
        exported: Option<&SpanContext>,
    ) {
        let seconds = duration.as_secs_f64();
        let error = outcome.error_type();
        let is_error = usize::from(error.is_some());
        let error = KeyValue::new("error.type", error.unwrap_or_default());
        let series = if let Some(status) = outcome.grpc_status {
            // The conventions name methods without the slash of the path.
            let method = route.trim_start_matches('/');
            let attributes = [
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", method),
                KeyValue::new("rpc.response.status_code", status),
                error,
            ];
            self.calls.record(seconds, &attributes[..3 + is_error]);
            Series::Call { method, status }
        } else {
            let (status, door) = (outcome.status, door.as_str());
            let attributes = [
                KeyValue::new("http.request.method", method),
                KeyValue::new("http.route", route),
                KeyValue::new("http.response.status_code", i64::from(status)),
                KeyValue::new("door", door),
                error,
            ];
            self.requests.record(seconds, &attributes[..4 + is_error]);
            Series::Request { method, route, status, door }
        };
        if let (Some(exemplars), Some(span)) = (&self.exemplars, exported) {
            exemplars.offer(series, seconds, span);
        }
    }

    pub(super) fn exemplars(&self) -> Snapshot {
        self.exemplars.as_ref().map(Exemplars::snapshot).unwrap_or_default()
    }
}
