//! Starts runs of apps: checks the caller, the app, the inputs and the number of runs, then calls the runtime.

mod collect;
pub(crate) mod event_source;
mod finished;
pub(crate) mod follow;
pub(crate) mod forms;
mod log_reader;
mod measured;
mod recorder;
pub(super) mod run_owner;
mod run_tasks;
pub(crate) mod running;
mod stop;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    measured::MeasuredRun,
    recorder::Recorders,
    run_owner::{external_user, user_name},
    running::{RecordedStream, Running},
};
use super::{
    app::{
        Apps,
        inputs::{checked_files, checked_inputs},
        run_files::referenced_uploads,
        run_slots::RunSlots,
    },
    context::ServiceContext,
    file::Files,
};
use crate::{
    domain::{
        Code, Error, Result,
        app::AppMode,
        caller::Caller,
        error::Detail,
        id::{ConversationId, WorkflowId},
        session::TokenContext,
        subject::Subject,
    },
    memory::{FairShares, MemoryLedger},
    ports::{
        run_log_store::RunLogStore,
        runtime::{AppRuntime, RunRequest},
    },
    telemetry::audit::apps::AppEvent,
};

/// Time to wait for the first event before the stream begins without one. An error within this time is the response; a
/// later one is the last event of the stream.
const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(9);

/// The request of a run, as the caller sent it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub app_id: String,
    pub workspace_id: Option<String>,
    /// Values of the form's variables, by name.
    pub inputs: Option<Map<String, Value>>,
    pub query: Option<String>,
    /// Files in Dify's format.
    pub files: Vec<Map<String, Value>>,
    /// The conversation to continue. Empty means a new one.
    pub conversation_id: Option<String>,
    /// Whether a new conversation is named after its first query.
    pub auto_generate_name: bool,
    /// A version of the graph. Empty means the published one.
    pub workflow_id: Option<String>,
    /// The mode that the app must have; `chat` includes agent-chat.
    pub mode: Option<String>,
    /// Whether the run continues when its reader leaves.
    pub outlives_reader: bool,
}

/// What the use cases of runs need.
pub struct RunDependencies {
    pub context: ServiceContext,
    pub apps: Apps,
    pub slots: RunSlots,
    pub files: Files,
    pub runtime: Arc<dyn AppRuntime>,
    pub logs: Arc<dyn RunLogStore>,
    pub memory: MemoryLedger,
    /// Tracks the runs that outlive their reader.
    pub tasks: TaskTracker,
    /// Tracks what writes the logs of runs.
    pub log_tasks: TaskTracker,
    /// Cancelled when the process stops.
    pub shutdown: CancellationToken,
}

/// Limit of streams that follow runs, in this process.
const MAX_FOLLOWERS: usize = 4_000;

#[derive(Clone)]
pub struct Runs {
    context: ServiceContext,
    apps: Apps,
    slots: RunSlots,
    files: Files,
    runtime: Arc<dyn AppRuntime>,
    recorders: Recorders,
    followers: FairShares,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Runs {
    pub fn new(dependencies: RunDependencies) -> Self {
        let RunDependencies { context, apps, slots, files, runtime, logs, memory, tasks, log_tasks, shutdown } =
            dependencies;
        let recorders = Recorders { logs, local: run_tasks::LocalRuns::default(), memory, tasks: log_tasks };
        Self {
            context,
            apps,
            slots,
            files,
            runtime,
            recorders,
            followers: FairShares::new(MAX_FOLLOWERS),
            tasks,
            shutdown,
        }
    }

    /// Starts a run for a caller.
    ///
    /// Checks membership and app (contract section 4, step 10), then the query, then the inputs. Fails with
    /// `not_found`, `workspace_membership_revoked`, `app_access_denied`, `app_unavailable`, `app_mode_mismatch`,
    /// `query_required_for_chat`, `query_not_supported_for_workflow`, `input_required`, `invalid_param`,
    /// `rate_limited`, or an error of the runtime before the first event.
    pub async fn start(&self, caller: &Caller, run: Run) -> Result<Running> {
        let given = run.inputs.ok_or_else(|| Error::missing("inputs"))?;
        let conversation_id = parse_id::<ConversationId>("conversation_id", run.conversation_id.as_deref())?;
        let workflow_id = parse_id::<WorkflowId>("workflow_id", run.workflow_id.as_deref())?;
        let version = run.workflow_id.as_deref();
        let ((app, definition, definition_memory), surface) = match caller.token.subject {
            Subject::Account { .. } => {
                let workspace = run.workspace_id.as_deref();
                (self.apps.find_runnable(caller, &run.app_id, workspace, version).await?, "apps")
            }
            Subject::ExternalSso { .. } => {
                let found = self.apps.find_permitted_runnable(caller, &run.app_id, version).await?;
                (found, "permitted-external-apps")
            }
        };
        check_mode(app.mode, run.mode.as_deref())?;
        let active = self.context.metrics.runs.begin(app.mode);
        let query = run.query.map(without_nul);
        check_query(app.mode, query.as_deref())?;
        let max_files = u64::from(self.files.limits().run_files);
        let uploads = referenced_uploads(&definition, &given, &run.files, max_files);
        let run_files = self.files.of_run(caller, &app, &uploads).await?;
        let inputs = checked_inputs(&definition, given, &run_files)?;
        let files = checked_files(&definition, &run.files, &run_files)?;
        let slot = self.slots.acquire(&app).await?;
        let (app_id, tenant_id) = (app.id, app.workspace_id);
        let (mode, stop) = (app.mode, CancellationToken::new());
        let owner = run_owner::owner(caller, &app);
        let mut stream = self
            .runtime
            .start(RunRequest {
                app,
                definition,
                user: user_name(&caller.token.subject),
                account: caller.token.subject.account_id(),
                external_user: external_user(&caller.token.subject),
                inputs,
                query,
                files,
                uploads: run_files.into_uploads(),
                conversation_id,
                auto_generate_name: run.auto_generate_name,
                workflow_id,
                stop: stop.clone(),
            })
            .await?;
        let mut measured = MeasuredRun::new(active);
        let first = match tokio::time::timeout(FIRST_EVENT_TIMEOUT, stream.next()).await {
            Ok(Some(Ok(first))) => {
                measured.observe(&first);
                Some(first)
            }
            Ok(failed) => {
                measured.end(true, false);
                let ended = || Error::new(Code::UpstreamError, "The run ended before it started.");
                return Err(failed.and_then(Result::err).unwrap_or_else(ended));
            }
            Err(_) => None,
        };
        let Caller { token: TokenContext { subject, token_id, .. }, .. } = caller;
        AppEvent::Run { app_id, tenant_id, subject, surface, token_id: *token_id }.record();
        let source = RecordedStream {
            unrecorded: first,
            recorded: VecDeque::new(),
            stream,
            owner,
            has_graph: mode.has_graph(),
            stop,
            recorders: self.recorders.clone(),
            recorder: None,
            measured,
            _slot: slot,
            _definition_memory: definition_memory,
        };
        Ok(Running::new(mode, run.outlives_reader, self.tasks.clone(), source))
    }
}

/// Checks that the app has the mode that the request names.
fn check_mode(mode: AppMode, required: Option<&str>) -> Result<()> {
    let path = if mode == AppMode::AgentChat { AppMode::Chat } else { mode }.as_str();
    match required {
        Some(required) if required != path => {
            Err(Error::new(Code::AppModeMismatch, "The app has another mode than the requested one.")
                .with_hint(format!("This is a {} app: run it as {path}.", mode.as_str())))
        }
        _ => Ok(()),
    }
}

fn check_query(mode: AppMode, query: Option<&str>) -> Result<()> {
    let refuse = |code, message: &'static str, hint: &'static str| {
        let detail = Detail { kind: "value_error", loc: vec!["body".into(), "query".into()], msg: message.to_owned() };
        Err(Error::new(code, message).with_hint(hint).with_detail(detail))
    };
    match mode {
        mode if mode.is_chat() && query.is_none_or(|query| query.trim().is_empty()) => {
            refuse(Code::QueryRequiredForChat, "A chat app needs a query.", "Set `query` to what the user says.")
        }
        AppMode::Workflow if query.is_some() => refuse(
            Code::QueryNotSupportedForWorkflow,
            "A workflow does not take a query.",
            "Leave out `query` and pass values in `inputs`.",
        ),
        _ => Ok(()),
    }
}

/// Removes NUL characters, as Dify does. PostgreSQL cannot store them.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// Reads an optional id; empty text is `None`.
fn parse_id<T: std::str::FromStr>(member: &'static str, text: Option<&str>) -> Result<Option<T>> {
    match text.filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Error::invalid_param("body", member, "must be a UUID")),
    }
}

#[cfg(test)]
mod tests;
