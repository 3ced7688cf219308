//! Metrics of runs and of the streams of their events.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::domain::app::AppMode;

/// How a run, or the part of a run before a pause, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Succeeded,
    Failed,
    /// A caller or a shutdown stopped it.
    Stopped,
    /// It waits for a form.
    Paused,
    /// Its reader left.
    Abandoned,
    /// It did not start.
    Refused,
}

impl RunEnd {
    const ALL: [Self; 6] = [Self::Succeeded, Self::Failed, Self::Stopped, Self::Paused, Self::Abandoned, Self::Refused];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Abandoned => "abandoned",
            Self::Refused => "refused",
        }
    }
}

/// What a stream of events belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    /// The caller that started the run.
    Run,
    /// A caller that follows it.
    Follower,
}

impl StreamKind {
    const ALL: [Self; 2] = [Self::Run, Self::Follower];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Follower => "follower",
        }
    }
}

/// The numbers of active runs and streams, by the position of their label.
#[derive(Debug, Default)]
struct Active {
    runs: [AtomicI64; AppMode::ALL.len()],
    streams: [AtomicI64; StreamKind::ALL.len()],
}

/// The instruments of runs. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RunMetrics {
    runs: Counter<u64>,
    active: Arc<Active>,
}

impl RunMetrics {
    /// Creates the series of the counter, too.
    pub(crate) fn new(meter: &Meter) -> Self {
        let runs =
            meter.u64_counter("openapi.runs").with_description("Runs that have ended, by mode and outcome.").build();
        let metrics = Self { runs, active: Arc::default() };
        for mode in AppMode::ALL {
            for outcome in RunEnd::ALL {
                metrics.add(*mode, outcome, 0);
            }
        }
        // The provider owns the callbacks; the instruments are not needed.
        let active = Arc::clone(&metrics.active);
        let _ = meter
            .i64_observable_up_down_counter("openapi.runs.active")
            .with_description("Runs in progress.")
            .with_callback(move |count| {
                for (mode, active) in AppMode::ALL.iter().zip(&active.runs) {
                    count.observe(active.load(Ordering::Relaxed), &[KeyValue::new("mode", mode.as_str())]);
                }
            })
            .build();
        let active = Arc::clone(&metrics.active);
        let _ = meter
            .i64_observable_up_down_counter("openapi.streams.active")
            .with_description("Responses that stream the events of runs.")
            .with_callback(move |count| {
                for (kind, active) in StreamKind::ALL.iter().zip(&active.streams) {
                    count.observe(active.load(Ordering::Relaxed), &[KeyValue::new("kind", kind.as_str())]);
                }
            })
            .build();
        metrics
    }

    /// Counts a run as active until the result is dropped, and then by its outcome.
    pub(crate) fn begin(&self, mode: AppMode) -> ActiveRun {
        self.move_runs(mode, 1);
        ActiveRun { metrics: self.clone(), mode, outcome: RunEnd::Refused }
    }

    /// Counts a stream as active until the result is dropped.
    pub(crate) fn begin_stream(&self, kind: StreamKind) -> ActiveStream {
        self.move_streams(kind, 1);
        ActiveStream { metrics: self.clone(), kind }
    }

    fn move_runs(&self, mode: AppMode, by: i64) {
        if let Some(at) = AppMode::ALL.iter().position(|one| *one == mode) {
            self.active.runs[at].fetch_add(by, Ordering::Relaxed);
        }
    }

    fn move_streams(&self, kind: StreamKind, by: i64) {
        if let Some(at) = StreamKind::ALL.iter().position(|one| *one == kind) {
            self.active.streams[at].fetch_add(by, Ordering::Relaxed);
        }
    }

    fn add(&self, mode: AppMode, outcome: RunEnd, count: u64) {
        self.runs.add(count, &[KeyValue::new("mode", mode.as_str()), KeyValue::new("outcome", outcome.as_str())]);
    }
}

/// A run in progress. Dropping it counts the outcome that was set last; before one is set, that it was refused.
#[derive(Debug)]
pub(crate) struct ActiveRun {
    metrics: RunMetrics,
    mode: AppMode,
    outcome: RunEnd,
}

impl ActiveRun {
    pub(crate) fn set_outcome(&mut self, outcome: RunEnd) {
        self.outcome = outcome;
    }
}

impl Drop for ActiveRun {
    fn drop(&mut self) {
        self.metrics.move_runs(self.mode, -1);
        self.metrics.add(self.mode, self.outcome, 1);
    }
}

/// A response that streams events.
#[derive(Debug)]
pub(crate) struct ActiveStream {
    metrics: RunMetrics,
    kind: StreamKind,
}

impl Drop for ActiveStream {
    fn drop(&mut self) {
        self.metrics.move_streams(self.kind, -1);
    }
}
