//! `workflow_finished` of a run that is stored.

use serde_json::{Value, json};

use crate::{
    domain::{Error, Result, stored_run::StoredRun},
    ports::run_event::{FINISHED, RunEvent},
};

/// The event as the run sent it. `task_id` is that of the log; without one, the id of the run.
pub(super) fn finished_event(run: &StoredRun, task_id: Option<String>) -> Result<RunEvent> {
    let run_id = run.id.to_string();
    let json = json!({
        "event": FINISHED,
        "task_id": task_id.unwrap_or_else(|| run_id.clone()),
        "workflow_run_id": run_id,
        "data": {
            "id": run_id,
            "workflow_id": run.workflow_id.to_string(),
            "status": run.status,
            "outputs": run.outputs.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
            "error": run.error,
            "elapsed_time": run.elapsed_seconds,
            "total_tokens": run.total_tokens,
            "total_steps": run.total_steps,
            "created_by": {"id": run.created_by.to_string()},
            "created_at": run.created_at.timestamp(),
            "finished_at": run.finished_at.map(|at| at.timestamp()),
            "exceptions_count": run.exceptions_count,
            "files": [],
        },
    });
    let json = serde_json::to_vec(&json).map_err(Error::internal)?.into();
    Ok(RunEvent { event: FINISHED.into(), json })
}
