//! Writes the events of a run to its log, and stops the run when the log says so.
//!
//! Events are appended in batches beside the run. A state store that is unavailable does not end the run: its log then
//! lacks events, and only this replica can stop it.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde::Deserialize;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::run_tasks::{LocalRun, LocalRuns};
use crate::{
    domain::id::{EndUserId, TaskId, WorkflowRunId},
    memory::MemoryLedger,
    ports::{
        run_event::{FINISHED, PAUSED, RunEvent},
        run_log_store::{LogEntry, RunKey, RunLogStore, RunPhase},
        runtime::{self, EVENTS_AHEAD, RunEvents, RunStream},
    },
    telemetry::carry::carry,
};

/// Interval of appends without events. They renew the lease and read whether the run is to be stopped.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Least time between two appends.
const MIN_INTERVAL: Duration = Duration::from_millis(50);
/// Interval after which the log is linked to its run again; shorter than a link is kept.
const LINK_INTERVAL: Duration = Duration::from_mins(10);
/// How long the last event waits for its log.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// Limit of events of one append.
const BATCH: usize = EVENTS_AHEAD;

/// What the recorders of a process share.
#[derive(Clone)]
pub(super) struct Recorders {
    pub logs: Arc<dyn RunLogStore>,
    pub local: LocalRuns,
    pub memory: MemoryLedger,
    pub tasks: TaskTracker,
}

/// Records one run. Dropping it ends the log's segment.
#[derive(Debug)]
pub(super) struct Recorder {
    events: RunEvents,
    has_graph: bool,
    /// Makes the log write what it has.
    flush: Arc<Notify>,
    /// Cancelled when the log has the end of its segment.
    closed: CancellationToken,
    _local: LocalRun,
}

/// The ids that every event of a run has.
#[derive(Deserialize)]
struct EventIds {
    task_id: Option<String>,
    workflow_run_id: Option<String>,
}

/// The ids of a run, from one of its events. `None` when the event has none.
pub(super) fn ids(event: &RunEvent) -> Option<(TaskId, Option<WorkflowRunId>)> {
    let EventIds { task_id, workflow_run_id } = serde_json::from_slice(&event.json).ok()?;
    Some((task_id?.parse().ok()?, workflow_run_id.and_then(|run| run.parse().ok())))
}

impl Recorders {
    /// Opens the log of a run, so that it can be stopped and followed from now on.
    pub(super) async fn open(&self, key: RunKey, stop: CancellationToken, begins_segment: bool) -> Recorder {
        let local = self.local.add(key.task, key.owner, stop.clone());
        let entry = LogEntry { phase: RunPhase::Running, begins_segment, links_run: true, events: Vec::new() };
        append(&*self.logs, key, entry, &stop).await;
        let (events, stream) = runtime::events(EVENTS_AHEAD, &self.memory);
        let (flush, closed) = (Arc::new(Notify::new()), CancellationToken::new());
        let writer =
            LogWriter { logs: Arc::clone(&self.logs), key, stop, flush: Arc::clone(&flush), closed: closed.clone() };
        self.tasks.spawn(carry(writer.write(stream)));
        Recorder { events, has_graph: key.run.is_some(), flush, closed, _local: local }
    }

    /// Opens the log of a run of which one event is known.
    pub(super) async fn open_for(
        &self,
        event: &RunEvent,
        owner: EndUserId,
        has_graph: bool,
        stop: CancellationToken,
    ) -> Option<Recorder> {
        let (task, run) = ids(event)?;
        Some(self.open(RunKey { task, owner, run: run.filter(|_| has_graph) }, stop, false).await)
    }
}

impl Recorder {
    /// Gives an event to the log. Waits while the log is behind by the limit of buffered events; when the future is
    /// dropped meanwhile, the log does not have the event.
    pub(super) async fn record(&self, event: &RunEvent) {
        if self.has_graph {
            // The other end is closed at a shutdown only.
            let _ = self.events.send(Ok(event.clone())).await;
        }
    }

    /// Waits for the log of the last event that was recorded: a caller who has received it finds the run finished or
    /// paused.
    pub(super) async fn close(&self) {
        if self.has_graph {
            self.flush.notify_one();
            let _ = timeout(CLOSE_LIMIT, self.closed.cancelled()).await;
        }
    }
}

struct LogWriter {
    logs: Arc<dyn RunLogStore>,
    key: RunKey,
    stop: CancellationToken,
    flush: Arc<Notify>,
    closed: CancellationToken,
}

impl LogWriter {
    async fn write(self, mut stream: RunStream) {
        let mut phase = RunPhase::Running;
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        let mut linked_at = Instant::now();
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut batch = Vec::new();
            let mut next = tokio::select! {
                biased;
                next = stream.next() => Some(next),
                _ = heartbeat.tick() => None,
            };
            let earliest = Instant::now() + MIN_INTERVAL;
            while let Some(Some(Ok(event))) = next {
                phase = match &*event.event {
                    PAUSED => RunPhase::Paused,
                    FINISHED => RunPhase::Finished,
                    _ => RunPhase::Running,
                };
                batch.push(event.json);
                next = if batch.len() < BATCH { stream.next().now_or_never() } else { None };
            }
            let is_last = matches!(next, Some(None | Some(Err(_))));
            if is_last && phase == RunPhase::Running {
                phase = RunPhase::Finished;
            }
            // A log that is kept for a paused run is linked as long.
            let links_run = linked_at.elapsed() >= LINK_INTERVAL || phase == RunPhase::Paused;
            if links_run {
                linked_at = Instant::now();
            }
            let entry = LogEntry { phase, begins_segment: false, links_run, events: batch };
            append(&*self.logs, self.key, entry, &self.stop).await;
            if phase != RunPhase::Running {
                self.closed.cancel();
                return;
            }
            let _ = timeout_at(earliest, self.flush.notified()).await;
        }
    }
}

/// Cancels `stop` when the log says so.
async fn append(logs: &dyn RunLogStore, key: RunKey, entry: LogEntry, stop: &CancellationToken) {
    match logs.append(key, entry).await {
        Ok(true) => stop.cancel(),
        Ok(false) => {}
        Err(error) => tracing::debug!(%error, task_id = %key.task, "events of a run were not logged"),
    }
}
