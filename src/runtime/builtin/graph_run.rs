//! One run of a graph: prepares the engine's input, forwards its events, and stores the outcome.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    engine::{
        execution::{ConversationIds, Execution},
        outcome::RunOutcome,
        pause::Resumption,
        run::run_graph,
    },
    events::{message::MessageMetadata, workflow::CreatedBy},
    graph::plugin_tools::check_without_daemon,
    graph_features::{check_features, opening_statement, with_features},
    graph_variables::{GraphVariables, changed_variables},
    nodes::{tool::RunTools, workspace_credentials::WorkspaceCredentials},
    published_graphs::PublishedGraph,
    run_context::RunContext,
    run_input::PreparedRun,
    run_memory::RunMemory,
    run_store::{finish, server_stopping, store_and_finish, stored_inputs},
    saved_run::{PauseTimes, PausedRun, SavedRun},
    template::slots::SlotOwner,
    variables::pool::SystemVariables,
};
use crate::{
    domain::{
        Error, Result,
        app::{AppMode, Workflow},
        conversation::{Ending, MessageRecord, RunRecord, RunStatus, WorkflowRunRecord},
        id::WorkflowId,
    },
    memory::Owner,
    ports::runtime::{self, FormAnswer, RunEvent, RunEvents, RunStream},
    runtime::outbound::RunOutboundClient,
};

/// Number of events by which the engine may be ahead of [`forward`].
const EVENTS_AHEAD_OF_FORWARDING: usize = 8;
/// Time that the engine may take to end after its timeout.
const END_TIMEOUT: Duration = Duration::from_secs(1);
/// Events that are held back until the run is stored: to a caller, each may mean its end.
const LAST_EVENTS: [&str; 4] = ["message_end", "workflow_finished", "human_input_required", "workflow_paused"];

/// A run of a graph that is ready to start.
pub(super) struct GraphRun {
    prepared: PreparedRun,
    published: Arc<PublishedGraph>,
    workflow_id: WorkflowId,
    version: String,
    variables: GraphVariables,
    introduction: String,
    /// Present for a run that continues after a pause.
    resumption: Option<Box<Resumption>>,
    /// When the run began, if it continues.
    began_at: Option<DateTime<Utc>>,
}

/// Why events are no longer forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopReason {
    ClientDisconnected,
    ServerStopping,
}

impl GraphRun {
    /// Returns `app_unavailable` when the graph is invalid or the app needs a feature that is not supported here.
    pub(super) fn new(context: &RunContext, prepared: PreparedRun, workflow: &Workflow) -> Result<Self> {
        let now = context.dependencies.clock.now().timestamp();
        let published = context.graphs.get(workflow, prepared.input.mode);
        let published = published.map_err(|error| with_features(error, &workflow.features))?;
        check_features(&workflow.features, &published.graph)?;
        if context.dependencies.tools.is_none() {
            check_without_daemon(&published.graph)?;
        }
        let introduction = match &prepared.conversation {
            Some(conversation) => conversation.introduction.clone(),
            None => opening_statement(workflow, &prepared.input)?,
        };
        Ok(Self {
            variables: GraphVariables::new(&prepared, workflow, now),
            workflow_id: workflow.id,
            version: workflow.version.clone(),
            prepared,
            published,
            introduction,
            resumption: None,
            began_at: None,
        })
    }

    /// A run that continues after its form was resolved. `saved` is what was kept of it.
    pub(super) fn resumed(
        context: &RunContext,
        prepared: PreparedRun,
        workflow: &Workflow,
        saved: SavedRun,
        answer: FormAnswer,
    ) -> Result<Self> {
        let mut run = Self::new(context, prepared, workflow)?;
        run.variables.system = saved.system;
        run.variables.conversation.clone_from(&saved.engine.conversation_variables);
        run.began_at = Some(saved.began_at);
        run.resumption = Some(Box::new(Resumption { engine: saved.engine, answer }));
        Ok(run)
    }

    /// Runs the graph, stores the run, and sends the last events.
    pub(super) async fn run(mut self, context: &RunContext, out: RunEvents) {
        let clock = &context.dependencies.clock;
        let began_at = self.began_at.unwrap_or_else(|| clock.now());
        let (events, stream) = runtime::events(EVENTS_AHEAD_OF_FORWARDING, &context.dependencies.memory);
        let execution = self.execution(context);
        // Both run in this task: the engine continues, and its timeout counts, while a slow reader is waited for.
        let (mut outcome, (mut last, stopped)) = tokio::join!(
            async move {
                let outcome = run_graph(&execution, &events).await;
                drop(events);
                outcome
            },
            forward(context, stream, &out)
        );
        if stopped == Some(StopReason::ServerStopping) {
            last = vec![Err(server_stopping())];
        }
        // Without a reader the token of the form would be lost, so the run ends instead.
        if let Some(pause) = outcome.pause.take().filter(|_| stopped.is_none()) {
            let times = PauseTimes { began_at, now: clock.now() };
            let paused = PausedRun::new(&self.prepared, &self.variables.system, self.workflow_id, *pause, times);
            let stored = match paused {
                Ok(paused) => {
                    context.dependencies.sql.insert_human_form(&paused.form, &paused.token, &paused.state).await
                }
                Err(error) => Err(error),
            };
            return finish(&context.dependencies, stored, last, out).await;
        }
        match self.record(outcome, stopped, began_at, clock.now()) {
            Ok(record) => store_and_finish(&context.dependencies, record, last, out).await,
            Err(error) => _ = out.send(Err(error)).await,
        }
    }

    fn execution(&mut self, context: &RunContext) -> Execution {
        let dependencies = &context.dependencies;
        let (prepared, variables) = (&mut self.prepared, &mut self.variables);
        let ids = prepared.ids;
        let conversation = ConversationIds { conversation: ids.conversation, message: ids.message };
        let end_user = &prepared.end_user;
        let (workspace, app) = (Owner::of(&end_user.workspace_id.0), Owner::of(&end_user.app_id.0));
        Execution {
            graph: Arc::clone(&self.published.graph),
            inputs: prepared.input.inputs.clone(),
            system: SystemVariables(variables.system.clone()),
            environment: std::mem::take(&mut variables.environment),
            masks: std::mem::take(&mut variables.masks),
            conversation_variables: std::mem::take(&mut variables.conversation),
            conversation_types: std::mem::take(&mut variables.conversation_types),
            task_id: ids.task,
            workflow_run_id: ids.workflow_run,
            workflow_id: self.workflow_id,
            conversation: (prepared.input.mode == AppMode::AdvancedChat).then_some(conversation),
            created_by: CreatedBy { id: end_user.id().to_string(), user: end_user.user.clone() },
            history: std::mem::take(&mut prepared.history),
            images: Arc::clone(&prepared.input.images),
            models: Arc::clone(&dependencies.models),
            templates: dependencies
                .templates
                .for_app(SlotOwner { workspace: end_user.workspace_id, app: end_user.app_id }),
            outbound: RunOutboundClient::new(&dependencies.outbound, [workspace, app]),
            tools: dependencies.tools.as_ref().map(|invoker| {
                let user = prepared.account.map_or_else(|| end_user.id().to_string(), |account| account.to_string());
                RunTools::new(invoker, [workspace, app], user)
            }),
            credentials: WorkspaceCredentials {
                workspace: end_user.workspace_id,
                account: prepared.account,
                source: Arc::clone(&dependencies.credentials),
            },
            clock: Arc::clone(&dependencies.clock),
            entropy: Arc::clone(&dependencies.entropy),
            limits: context.limits,
            memory: RunMemory::new(&dependencies.memory, end_user.workspace_id),
            stop: prepared.stop.clone(),
            resumption: self.resumption.take(),
        }
    }

    fn record(
        self,
        outcome: RunOutcome,
        stopped: Option<StopReason>,
        began_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
    ) -> Result<RunRecord> {
        let ending = ending(&outcome, stopped);
        let mode = self.prepared.input.mode;
        let message = if mode == AppMode::AdvancedChat { Some(self.message(&outcome)?) } else { None };
        let Self { prepared, published, variables, workflow_id, version, .. } = self;
        let workflow_run = WorkflowRunRecord {
            id: prepared.ids.workflow_run,
            workflow_id,
            version,
            graph: Arc::clone(&published.json),
            inputs: stored_inputs(&prepared.input.inputs, &variables.system),
            total_tokens: outcome.total_tokens(),
            outputs: Value::Object(outcome.outputs),
            elapsed: outcome.elapsed,
            total_steps: u32::try_from(outcome.total_steps).unwrap_or(u32::MAX),
            exceptions_count: u32::try_from(outcome.exceptions_count).unwrap_or(u32::MAX),
        };
        Ok(RunRecord {
            end_user: prepared.end_user,
            mode,
            inputs: prepared.input.inputs,
            ending,
            began_at,
            ended_at,
            message,
            workflow_run: Some(workflow_run),
        })
    }

    fn message(&self, outcome: &RunOutcome) -> Result<MessageRecord> {
        let prepared = &self.prepared;
        let metadata = MessageMetadata::with_annotation_reply(outcome.usage.block(outcome.elapsed, None));
        Ok(MessageRecord {
            id: prepared.ids.message,
            conversation_id: prepared.ids.conversation,
            begins: prepared.new_conversation(&self.introduction, None),
            model: None,
            query: prepared.input.query.clone().unwrap_or_default(),
            prompt: Value::String(String::new()),
            answer: outcome.answer.clone(),
            prompt_tokens: outcome.usage.prompt_tokens,
            completion_tokens: outcome.usage.completion_tokens,
            latency: outcome.elapsed,
            metadata: serde_json::to_value(&metadata).map_err(Error::internal)?,
            variables: changed_variables(outcome.conversation_variables.clone(), &self.variables.conversation_before),
        })
    }
}

fn ending(outcome: &RunOutcome, stopped: Option<StopReason>) -> Ending {
    match outcome.status {
        RunStatus::Succeeded => Ending::Succeeded,
        RunStatus::PartlySucceeded => Ending::PartlySucceeded,
        RunStatus::Failed => Ending::Failed(outcome.error.clone().unwrap_or_default()),
        RunStatus::Stopped => {
            let reason = match stopped {
                Some(StopReason::ServerStopping) => "The server stopped.",
                Some(StopReason::ClientDisconnected) => "The client disconnected.",
                None => "The run was stopped.",
            };
            Ending::Stopped(reason.to_owned())
        }
    }
}

/// Forwards events until the stream ends. Returns the last events, which are sent after the run is stored. Drops the
/// stream when the reader disconnects or the server stops; that stops the engine.
async fn forward(
    context: &RunContext,
    mut stream: RunStream,
    out: &RunEvents,
) -> (Vec<Result<RunEvent>>, Option<StopReason>) {
    let shutdown = &context.dependencies.shutdown;
    let mut last = Vec::new();
    let deadline = tokio::time::Instant::now() + context.limits.run_timeout + END_TIMEOUT;
    loop {
        let event = tokio::select! {
            biased;
            () = shutdown.cancelled() => return (last, Some(StopReason::ServerStopping)),
            event = stream.next() => event,
            () = out.closed() => return (last, Some(StopReason::ClientDisconnected)),
        };
        match event {
            None => return (last, None),
            Some(Ok(event)) if LAST_EVENTS.contains(&&*event.event) => last.push(Ok(event)),
            Some(event) => {
                let sent = tokio::select! {
                    biased;
                    sent = out.send(event) => sent,
                    () = shutdown.cancelled() => return (last, Some(StopReason::ServerStopping)),
                    // The engine has ended by then; a reader that does not read is not waited for.
                    () = tokio::time::sleep_until(deadline) => return (last, None),
                };
                if sent.is_err() {
                    return (last, Some(StopReason::ClientDisconnected));
                }
            }
        }
    }
}
