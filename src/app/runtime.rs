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

/// The runtime: Dify's service API beside Dify, where its address is known; this process' own standalone.
pub fn runtime(config: &Config, base: &Foundation, standalone: bool, tasks: &RunTasks) -> Result<Arc<dyn AppRuntime>> {
    if standalone {
        return Ok(Arc::new(Absent));
    }
    let Some(url) = config.deployment.dify_api_url.clone() else { return Ok(Arc::new(Absent)) };
    let settings = DifySettings {
        url,
        connect_timeout: config.dify_api.connect_timeout,
        first_byte_timeout: config.dify_api.first_byte_timeout,
        max_connections: config.dify_api.max_connections,
    };
    let (clock, entropy) = (Arc::clone(&base.clock), Arc::clone(&base.entropy));
    Ok(Arc::new(DifyRuntime::new(settings, Arc::clone(&base.sql), clock, entropy, tasks.tracker.clone())?))
}
