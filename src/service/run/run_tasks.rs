//! The runs of this process by task, so that a stop that arrives here reaches them at once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::id::{EndUserId, TaskId},
    ports::run_log_store::StopRequest,
};

type ByTask = HashMap<TaskId, (EndUserId, CancellationToken)>;

/// The runs of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct LocalRuns(Arc<Mutex<ByTask>>);

/// Removes its run when dropped.
#[derive(Debug)]
pub(super) struct LocalRun {
    runs: LocalRuns,
    task: TaskId,
}

impl LocalRuns {
    pub(super) fn add(&self, task: TaskId, owner: EndUserId, stop: CancellationToken) -> LocalRun {
        self.0.lock().insert(task, (owner, stop));
        LocalRun { runs: self.clone(), task }
    }

    /// Stops a run of this process. A task of another process is unknown.
    pub(super) fn stop(&self, task: TaskId, owner: EndUserId) -> StopRequest {
        match self.0.lock().get(&task) {
            None => StopRequest::Unknown,
            Some((other, _)) if *other != owner => StopRequest::OtherOwner,
            Some((_, stop)) => {
                stop.cancel();
                StopRequest::Requested
            }
        }
    }
}

impl Drop for LocalRun {
    fn drop(&mut self) {
        self.runs.0.lock().remove(&self.task);
    }
}
