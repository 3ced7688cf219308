//! Forms of runs that wait for a person: reading, submitting, expiring. Resolving a form continues its run here.

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{Runs, measured::MeasuredRun, run_owner::user_name, running::RecordedStream, stop::no_such_run};
use crate::{
    domain::{
        Code, Error, Result,
        app::App,
        caller::Caller,
        human_form::{FormResolution, FormToken, HumanForm, OpenForm, StoredHumanForm},
        id::{EndUserId, TaskId, WorkflowRunId},
    },
    ports::{
        run_log_store::RunKey,
        runtime::{FormAnswer, FormSubmission, ResumeRequest, RunOfUser},
    },
    service::uncancelled::run_uncancelled,
    telemetry::{audit::forms::FormSubmitted, carry::carry},
};

/// Limit of expired forms that one round resolves.
const EXPIRED_AT_ONCE: u64 = 20;
/// How long the token of a resolved form is known as used.
const RESOLVED_RETENTION: TimeDelta = TimeDelta::days(30);

/// A submission of a form.
#[derive(Debug)]
pub struct SubmitForm<'a> {
    pub app_id: &'a str,
    pub token: &'a str,
    /// The id of the chosen action.
    pub action: &'a str,
    /// Values by the names of inputs.
    pub values: Map<String, Value>,
}

/// A form whose run is to continue.
struct FormToResolve {
    stored: StoredHumanForm,
    form: HumanForm,
}

/// How a form is resolved, with what a person chose.
enum Resolution {
    Submitted { action: String, values: Map<String, Value> },
    Expired,
    Stopped,
}

impl Runs {
    /// The form that a token admits to. Fails with `not_found`, `human_input_form_submitted`,
    /// `human_input_form_expired`, and as `Apps::find_used` does.
    pub async fn get_form(&self, caller: &Caller, app_id: &str, token: &str) -> Result<OpenForm> {
        let app = self.apps.find_used(caller, app_id).await?;
        let token = FormToken::parse(token).ok_or_else(no_such_form)?;
        if let Some(form) = self.runtime.find_form(&app, &token).await? {
            return Ok(form);
        }
        let FormToResolve { stored, form } = self.waiting_form(&app, &token).await?;
        Ok(OpenForm { form, expires_at: stored.expires_at })
    }

    /// Submits a form and continues its run. Values of unknown inputs are left out. Fails like [`Self::get_form`], with
    /// `invalid_param` and `input_required` for wrong values, and with `rate_limited` when the run finds no place; then
    /// the form can be submitted again.
    pub async fn submit_form(&self, caller: &Caller, submission: SubmitForm<'_>) -> Result<()> {
        let SubmitForm { app_id, token, action, values } = submission;
        let app = self.apps.find_used(caller, app_id).await?;
        let token = FormToken::parse(token).ok_or_else(no_such_form)?;
        let user = user_name(&caller.token.subject);
        let (of, forwarded) =
            (RunOfUser { app: &app, user: &user }, FormSubmission { token: &token, action, values: &values });
        let mut run_id = None;
        if !self.runtime.submit_form(of, forwarded).await? {
            let found = self.waiting_form(&app, &token).await?;
            let values = found.form.checked_values(action, values)?;
            run_id = Some(found.stored.run_id);
            self.resume(found, Resolution::Submitted { action: action.to_owned(), values }).await?;
        }
        FormSubmitted {
            app_id: app.id,
            tenant_id: app.workspace_id,
            run_id,
            action,
            subject: &caller.token.subject,
            token_id: caller.token.token_id,
        }
        .record();
        Ok(())
    }

    /// Continues the runs whose form has expired. Other replicas may do the same at the same time. A run that cannot
    /// continue ends.
    pub async fn resume_expired(&self) -> Result<()> {
        let now = self.context.clock.now();
        for stored in self.context.sql.list_expired_human_forms(now, EXPIRED_AT_ONCE).await? {
            let id = stored.id;
            let Err(error) = self.resume_stored(stored, Resolution::Expired).await else { continue };
            match error.code() {
                // Another replica was first, or the run finds no place now.
                Code::HumanInputFormSubmitted | Code::RateLimited | Code::ServiceUnavailable => {}
                _ => {
                    tracing::warn!(%error, form_id = %id, "a run did not continue after its form expired");
                    if self.context.sql.resolve_human_form(id, FormResolution::Expired, now).await? {
                        self.context.sql.drop_human_form_state(id).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Deletes what is kept of resolved forms.
    pub async fn delete_resolved_forms(&self) -> Result<()> {
        let before = self.context.clock.now() - RESOLVED_RETENTION;
        self.context.sql.delete_resolved_human_forms(before).await.map(|_| ())
    }

    /// Ends a run that waits for a form. Returns `false` when no run of this task waits. Fails with `not_found` for the
    /// run of another caller.
    pub(super) async fn stop_waiting(&self, task: TaskId, owner: EndUserId) -> Result<bool> {
        let Some(stored) = self.context.sql.find_form_of_task(task).await? else { return Ok(false) };
        if stored.owner != owner {
            return Err(no_such_run());
        }
        match self.resume_stored(stored, Resolution::Stopped).await {
            Ok(()) => Ok(true),
            // The run has continued in the meantime.
            Err(error) if error.code() == Code::HumanInputFormSubmitted => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a run of this caller waits for a form.
    pub(super) async fn is_waiting(&self, run: WorkflowRunId, owner: EndUserId) -> Result<bool> {
        Ok(self.context.sql.find_form_of_run(run).await?.is_some_and(|form| form.owner == owner))
    }

    async fn waiting_form(&self, app: &App, token: &FormToken) -> Result<FormToResolve> {
        let stored = self.context.sql.find_human_form(app.id, &token.hash()).await?.ok_or_else(no_such_form)?;
        // A form is submitted before it expires, and its run continues without it afterwards.
        if stored.resolved_at.is_some_and(|resolved_at| resolved_at < stored.expires_at) {
            return Err(submitted());
        }
        if self.context.clock.now() >= stored.expires_at {
            return Err(expired());
        }
        let form = serde_json::from_str(&stored.form).map_err(Error::internal)?;
        Ok(FormToResolve { stored, form })
    }

    async fn resume_stored(&self, stored: StoredHumanForm, resolution: Resolution) -> Result<()> {
        let form = serde_json::from_str(&stored.form).map_err(Error::internal)?;
        self.resume(FormToResolve { stored, form }, resolution).await
    }

    /// Resolves a form and continues its run, without a reader. Fails with `human_input_form_submitted` when it was
    /// resolved before. A client that disconnects between the two would lose the run, so the request is not cancelled.
    async fn resume(&self, found: FormToResolve, resolution: Resolution) -> Result<()> {
        let runs = self.clone();
        run_uncancelled(async move { runs.resolve_and_resume(found, resolution).await }).await
    }

    async fn resolve_and_resume(&self, found: FormToResolve, resolution: Resolution) -> Result<()> {
        let FormToResolve { stored, form } = found;
        let (app, definition, definition_memory) = self.apps.find_version(stored.app_id, stored.workflow_id).await?;
        let active = self.context.metrics.runs.begin(app.mode);
        let (mode, slot) = (app.mode, self.slots.acquire(&app).await?);
        let sql = &self.context.sql;
        let state = sql.find_paused_state(stored.id).await?.ok_or_else(submitted)?;
        let stop = CancellationToken::new();
        let (kind, action, values) = match resolution {
            Resolution::Submitted { action, values } => (FormResolution::Submitted, Some(action), values),
            Resolution::Expired => (FormResolution::Expired, None, Map::new()),
            Resolution::Stopped => {
                stop.cancel();
                (FormResolution::Stopped, None, Map::new())
            }
        };
        if !sql.resolve_human_form(stored.id, kind, self.context.clock.now()).await? {
            return Err(submitted());
        }
        let answer = FormAnswer { form, expires_at: stored.expires_at, action, values };
        let request = ResumeRequest { app, definition, state, answer, stop: stop.clone() };
        let stream = match self.runtime.resume(request).await {
            Ok(stream) => stream,
            Err(error) => {
                sql.reopen_human_form(stored.id).await?;
                return Err(error);
            }
        };
        let key = RunKey { task: stored.task_id, owner: stored.owner, run: Some(stored.run_id) };
        let recorder = self.recorders.open(key, stop.clone(), true).await;
        let source = RecordedStream {
            unrecorded: None,
            recorded: VecDeque::new(),
            stream,
            owner: stored.owner,
            has_graph: mode.has_graph(),
            stop,
            recorders: self.recorders.clone(),
            recorder: Some(recorder),
            measured: MeasuredRun::new(active),
            _slot: slot,
            _definition_memory: definition_memory,
        };
        self.tasks.spawn(carry(source.drain()));
        // Otherwise it is deleted with the form.
        if let Err(error) = sql.drop_human_form_state(stored.id).await {
            tracing::debug!(%error, form_id = %stored.id, "the state of a run that continued was not dropped");
        }
        Ok(())
    }
}

fn no_such_form() -> Error {
    Error::not_found("There is no such form.")
}

fn submitted() -> Error {
    Error::new(Code::HumanInputFormSubmitted, "The form has been submitted already.")
}

fn expired() -> Error {
    Error::new(Code::HumanInputFormExpired, "The form has expired.").with_hint("Run the app again.")
}
