//! Stops runs from any connection and any replica.

use super::{
    Runs,
    run_owner::{owner, user_name},
};
use crate::{
    domain::{Error, Result, caller::Caller, id::TaskId},
    ports::{run_log_store::StopRequest, runtime::RunOfUser},
    telemetry::audit::apps::AppEvent,
};

impl Runs {
    /// Stops a run of the caller. Also succeeds for a run that has finished, and for an unknown task. Fails with
    /// `not_found` for the run of another caller, and as `Apps::find_used` does.
    pub async fn stop(&self, caller: &Caller, app_id: &str, task_id: &str) -> Result<()> {
        let app = self.apps.find_used(caller, app_id).await?;
        // No run has such a task.
        let Ok(task) = task_id.parse::<TaskId>() else { return Ok(()) };
        let owner = owner(caller, &app);
        let requested = match self.recorders.local.stop(task, owner) {
            StopRequest::Unknown if self.stop_waiting(task, owner).await? => StopRequest::Requested,
            StopRequest::Unknown => self.recorders.logs.request_stop(task, owner).await?,
            requested => requested,
        };
        match requested {
            StopRequest::OtherOwner => return Err(no_such_run()),
            // Beside Dify, too: nothing shows whose such a task would be.
            StopRequest::Unknown => return Ok(()),
            StopRequest::Requested => {}
        }
        let user = user_name(&caller.token.subject);
        self.runtime.stop(RunOfUser { app: &app, user: &user }, task).await?;
        AppEvent::RunStopped {
            app_id: app.id,
            tenant_id: app.workspace_id,
            task_id: task,
            subject: &caller.token.subject,
            token_id: caller.token.token_id,
        }
        .record();
        Ok(())
    }
}

pub(super) fn no_such_run() -> Error {
    Error::not_found("There is no such run.")
}
