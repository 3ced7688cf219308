//! Exemplars: for each bucket of the request histograms, the last request in it whose span is exported.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry::trace::{SpanContext, SpanId, TraceId};
use parking_lot::Mutex;

use super::buckets::BUCKETS;

/// Limit of series with exemplars. The SDK keeps as many series of one histogram.
const MAX_SERIES: usize = 2_000;
/// The buckets of a series, with the one above the last bound.
const BUCKET_COUNT: usize = BUCKETS.len() + 1;

/// The labels that distinguish the series of the request histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Series<'a> {
    Request { method: &'a str, route: &'a str, status: u16, door: &'a str },
    Call { method: &'a str, status: &'a str },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Exemplar {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// The duration of the request in seconds.
    pub value: f64,
    /// The end of the request, since the Unix epoch.
    pub time: Duration,
}

/// The exemplars of a series, in the order of its buckets.
pub(super) type BucketExemplars = [Option<Exemplar>; BUCKET_COUNT];

/// The exemplars of some moment.
pub(super) type Snapshot = HashMap<Series<'static>, Box<BucketExemplars>>;

#[derive(Default)]
pub(super) struct Exemplars(Mutex<Snapshot>);

impl Exemplars {
    /// Makes a request with an exported span the exemplar of its bucket. It never waits: while another thread has the
    /// lock, the bucket keeps its exemplar.
    pub(super) fn offer(&self, series: Series<'static>, value: f64, span: &SpanContext) {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // An upper bound belongs to its bucket.
        let bucket = BUCKETS.partition_point(|bound| *bound < value);
        let Some(mut all) = self.0.try_lock() else { return };
        if all.len() >= MAX_SERIES && !all.contains_key(&series) {
            return;
        }
        let exemplar = Exemplar { trace_id: span.trace_id(), span_id: span.span_id(), value, time };
        if let Some(place) = all.entry(series).or_default().get_mut(bucket) {
            *place = Some(exemplar);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceFlags, TraceState};

    use super::*;

    fn span(id: u64) -> SpanContext {
        let (trace, span) = (TraceId::from(u128::from(id)), SpanId::from(id));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
    }

    fn call(status: &str) -> Series<'_> {
        Series::Call { method: "MetaService/GetHealth", status }
    }

    #[test]
    fn bucket_has_its_last_request() {
        let exemplars = Exemplars::default();
        // The first two belong to one bucket, whose upper bound is 1 ms.
        for (id, value) in [(1, 0.000_6), (2, 0.001), (3, 0.001_1), (4, 60.0)] {
            exemplars.offer(call("OK"), value, &span(id));
        }
        let found = exemplars.snapshot();
        let of_buckets = found[&call("OK")].map(|exemplar| exemplar.map(|exemplar| exemplar.span_id));
        let mut expected = [None; BUCKET_COUNT];
        for (bucket, id) in [(1, 2), (2, 3), (BUCKETS.len(), 4)] {
            expected[bucket] = Some(SpanId::from(id));
        }
        assert_eq!(of_buckets, expected);
    }

    #[test]
    fn series_beyond_the_limit_have_no_exemplars() {
        let exemplars = Exemplars::default();
        let request = |status| Series::Request { method: "GET", route: "other", status, door: "json" };
        for status in 0..5_000 {
            exemplars.offer(request(status), 1.0, &span(1));
        }
        exemplars.offer(request(0), 1.0, &span(2));
        let found = exemplars.snapshot();
        assert_eq!(found.len(), MAX_SERIES);
        assert!(found[&request(0)].iter().flatten().all(|exemplar| exemplar.span_id == SpanId::from(2)));
    }

    #[test]
    fn request_does_not_wait_for_a_scrape() {
        let exemplars = Exemplars::default();
        let scrape = exemplars.0.lock();
        exemplars.offer(call("OK"), 1.0, &span(1));
        drop(scrape);
        assert!(exemplars.snapshot().is_empty());
    }
}
