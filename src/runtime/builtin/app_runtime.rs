//! Starts runs of apps: limits their number and their memory, reads the conversation that continues, and spawns the
//! run.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    chat_history,
    graph_run::GraphRun,
    prompt_run::PromptRun,
    run_context::{RunContext, RuntimeDependencies},
    run_images::RunImages,
    run_input::{PreparedRun, RunIds, RunInput},
    run_limits::RunLimits,
    run_memory::RunMemory,
    saved_run::SavedRun,
    template::slots::SlotOwner,
};
use crate::{
    domain::{
        Code, Error, Result,
        app::{App, Definition},
        conversation::EndUser,
        id::ConversationId,
    },
    memory::{FairShares, MemoryPermit, NoPlaceError, Owner, SharePermit},
    ports::runtime::{self, AppRuntime, EVENTS_AHEAD, ResumeRequest, RunEvents, RunRequest, RunStream},
    telemetry::carry::carry,
};

/// The `Retry-After` of a run that finds no place.
pub(super) const BUSY_RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct BuiltinRuntime {
    context: Arc<RunContext>,
    runs: FairShares,
}

impl BuiltinRuntime {
    /// At most `max_runs` runs at a time, shared fairly by workspace and app, each within `limits`.
    pub(crate) fn new(dependencies: RuntimeDependencies, limits: RunLimits, max_runs: usize) -> Self {
        Self { context: Arc::new(RunContext::new(dependencies, limits)), runs: FairShares::new(max_runs) }
    }
}

#[async_trait]
impl AppRuntime for BuiltinRuntime {
    /// Returns before the model answers. A model that fails before its first word is the first item of the stream, so
    /// that the reader can report it differently from a later failure; a model that thinks for a long time delays
    /// nothing.
    async fn start(&self, run: RunRequest) -> Result<RunStream> {
        let place = self.take_place(&run.app)?;
        let mode = run.app.mode;
        let owner = SlotOwner { workspace: run.app.workspace_id, app: run.app.id };
        if mode.has_graph() && self.context.dependencies.templates.is_full(owner) {
            let message = "Too many templates of this workspace are waiting. Try again shortly.";
            return Err(Error::new(Code::RateLimited, message).with_retry_after(BUSY_RETRY_AFTER));
        }
        let memory = RunMemory::new(&self.context.dependencies.memory, run.app.workspace_id);
        let (prepared, definition) = prepare(&self.context, run).await?;
        let mut memory = memory.permit();
        memory.resize(prepared.memory_bytes())?;
        let permit = RunPermit { _place: place, _memory: memory };
        match (definition, mode.has_graph()) {
            (Definition::Model(config), false) => {
                let run = PromptRun::new(&self.context, prepared, &config)?;
                Ok(spawn(&self.context, permit, |context, out| async move { run.run(&context, out).await }))
            }
            (Definition::Workflow(workflow), true) => {
                let run = GraphRun::new(&self.context, prepared, &workflow)?;
                Ok(spawn(&self.context, permit, |context, out| async move { run.run(&context, out).await }))
            }
            _ => Err(Error::new(Code::AppUnavailable, "This app has no published version that can be run.")),
        }
    }

    async fn resume(&self, run: ResumeRequest) -> Result<RunStream> {
        let place = self.take_place(&run.app)?;
        let ResumeRequest { app, definition, state, answer, stop } = run;
        let saved = SavedRun::parse(&state)?;
        let memory = RunMemory::new(&self.context.dependencies.memory, app.workspace_id);
        let request = RunRequest {
            app,
            definition,
            user: saved.user.clone(),
            account: saved.account(),
            external_user: saved.external_user(),
            inputs: saved.inputs.clone(),
            query: saved.query.clone(),
            // Those of the start are among the system variables that are kept.
            files: Vec::new(),
            uploads: Vec::new(),
            conversation_id: saved.continued.map(ConversationId),
            auto_generate_name: saved.auto_generate_name,
            workflow_id: None,
            stop,
        };
        let (mut prepared, definition) = prepare(&self.context, request).await?;
        prepared.ids = saved.ids();
        let owners = [Owner::of(&prepared.end_user.workspace_id.0), Owner::of(&prepared.end_user.app_id.0)];
        prepared.input.images = Arc::new(RunImages::restored(saved.uploads(), owners));
        let mut memory = memory.permit();
        memory.resize(prepared.memory_bytes() + state.len())?;
        let permit = RunPermit { _place: place, _memory: memory };
        let Definition::Workflow(workflow) = definition else {
            return Err(Error::new(Code::AppUnavailable, "This app has no published version that can be run."));
        };
        let run = GraphRun::resumed(&self.context, prepared, &workflow, saved, answer)?;
        Ok(spawn(&self.context, permit, |context, out| async move { run.run(&context, out).await }))
    }
}

/// One of the runs that the process may run at a time, with its memory.
struct RunPermit {
    _place: SharePermit,
    _memory: MemoryPermit,
}

impl BuiltinRuntime {
    /// Does not wait: a run that finds no place is refused at once.
    fn take_place(&self, app: &App) -> Result<SharePermit> {
        let (workspace, app) = (Owner::of(&app.workspace_id.0), Owner::of(&app.id.0));
        self.runs.take(workspace, app).map_err(|no_place| {
            let message = match no_place {
                NoPlaceError::Full => "This server is at capacity. Try again shortly.",
                NoPlaceError::ShareUsed => {
                    "The runs of this app or workspace use its share of this server. Try again shortly."
                }
            };
            Error::new(Code::RateLimited, message).with_retry_after(BUSY_RETRY_AFTER)
        })
    }
}

/// Reads the conversation that continues. A conversation of another end user or app, and a deleted one, are
/// `not_found`.
async fn prepare(context: &RunContext, mut run: RunRequest) -> Result<(PreparedRun, Definition)> {
    let dependencies = &context.dependencies;
    let input = RunInput::take_from(&mut run);
    let end_user = EndUser::new(run.app.workspace_id, run.app.id, run.user, run.external_user.take());
    let continued = run.conversation_id.filter(|_| input.mode.is_chat());
    let ids = RunIds::new(&*dependencies.entropy, continued)?;
    let mut conversation = None;
    if let Some(id) = continued {
        let (exchanges, characters) = (chat_history::MAX_EXCHANGES, chat_history::MAX_CHARACTERS);
        let found = dependencies.sql.find_conversation(id, &end_user, exchanges, characters).await?;
        conversation = Some(found.ok_or_else(|| Error::not_found("There is no such conversation."))?);
    }
    let exchanges = conversation.as_mut().map(|conversation| std::mem::take(&mut conversation.exchanges));
    let history = chat_history::prompt_messages(&exchanges.unwrap_or_default());
    let account = run.account;
    Ok((PreparedRun { input, end_user, account, ids, conversation, history, stop: run.stop }, run.definition))
}

/// Spawns the run as a task of the process, with the id and the span of the request.
fn spawn<F>(
    context: &Arc<RunContext>,
    permit: RunPermit,
    run: impl FnOnce(Arc<RunContext>, RunEvents) -> F,
) -> RunStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let (out, stream) = runtime::events(EVENTS_AHEAD, &context.dependencies.memory);
    let run = run(Arc::clone(context), out);
    let run = async move {
        run.await;
        drop(permit);
    };
    context.dependencies.tasks.spawn(carry(run));
    stream
}
