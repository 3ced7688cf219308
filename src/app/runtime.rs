//! Which runtime runs the apps of this deployment, and what it needs of the process.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    domain::Result,
    ports::runtime::AppRuntime,
    runtime::{
        absent::Absent,
        dify::{DifyRuntime, DifySettings},
    },
    service::Foundation,
};

/// The tasks of runs. They outlive the requests that began them: what became of a run is stored, and a run that nobody
/// waits for any more is stopped at Dify too.
#[derive(Clone, Debug, Default)]
pub struct RunTasks {
    /// Every one of them.
    pub tracker: TaskTracker,
    /// Ends those under way, when the process has no more time for them.
    pub end: CancellationToken,
}
