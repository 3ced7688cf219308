//! The log of each run: its owner, whether it is to be stopped, and its last events, so that another connection and
//! another replica can stop it and follow it.
//!
//! A log is short-lived: it ends [`RETENTION`] after the last append, and the events of a finished run end
//! [`FINISHED_RETENTION`] after it. It is not a record of the run, which is in SQL.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::{
    Result,
    id::{EndUserId, TaskId, WorkflowRunId},
};

/// How long a log is kept after its last append.
pub(crate) const RETENTION: Duration = Duration::from_mins(30);
/// How long the events of a finished run are kept, for followers that are behind. Others read the run itself.
pub(crate) const FINISHED_RETENTION: Duration = Duration::from_mins(1);
/// A run whose replica has not appended for this long is lost. Replicas append at least every second.
pub(crate) const LEASE: Duration = Duration::from_secs(15);
/// Limit of events of one log. Older events are dropped.
pub(crate) const MAX_EVENTS: usize = 2_000;
/// Limit of bytes of one log. Older events are dropped; a longer event is left out.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Bytes that an event takes besides its text.
pub(crate) const EVENT_OVERHEAD: usize = 48;

/// Names a run. The owner includes the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunKey {
    pub task: TaskId,
    /// The caller who started the run, in the app.
    pub owner: EndUserId,
    /// `None` for an app without a graph, whose events are not kept.
    pub run: Option<WorkflowRunId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPhase {
    Running,
    /// The run waits for a form.
    Paused,
    Finished,
}

/// What a replica adds to a log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    pub phase: RunPhase,
    /// Whether a new segment begins before these events: the run was resumed.
    pub begins_segment: bool,
    /// Whether the log is found by its run for the next [`RETENTION`].
    pub links_run: bool,
    pub events: Vec<Bytes>,
}

/// The result of a request to stop a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRequest {
    /// There is no log.
    Unknown,
    /// Another caller started the run.
    OtherOwner,
    /// The replica that runs it will stop it, unless it has finished.
    Requested,
}

/// A log, with some of its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    pub owner: EndUserId,
    pub phase: RunPhase,
    /// Whether the replica that runs it has stopped to append. Only for a running one.
    pub is_lost: bool,
    /// Number of the first event since the start, or since the run was last resumed.
    pub segment: u64,
    /// Number of the next event that is appended.
    pub end: u64,
    /// Number of the first of `events`: the requested one, or a later one if that was dropped.
    pub first: u64,
    pub events: Vec<Bytes>,
}

/// Keeps the logs. Every method is one atomic step at the store, by the store's clock; it fails with
/// `service_unavailable`.
#[async_trait]
pub trait RunLogStore: Send + Sync + 'static {
    /// Appends to a log, creates it if there is none, and renews its lease. Returns whether the run is to be stopped.
    async fn append(&self, key: RunKey, entry: LogEntry) -> Result<bool>;

    /// Requests that a run is stopped.
    async fn request_stop(&self, task: TaskId, owner: EndUserId) -> Result<StopRequest>;

    /// The task whose log has the events of a run.
    async fn find_task(&self, run: WorkflowRunId) -> Result<Option<TaskId>>;

    /// At most `limit` events from number `from`; `None` without a log.
    async fn read(&self, task: TaskId, from: u64, limit: usize) -> Result<Option<LogPage>>;
}
