//! One run of a graph: the engine's, between what is read before it and what is stored after it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::{
    Asked, Begun, Inner,
    engine::{self, CreatedBy, Execution, Outcome},
    model::PromptMessage,
    prompt_app::{
        check::is_enabled,
        events::Metadata,
        moderation,
        template::{fill, inputs},
    },
    published::PublishedGraph,
    record::{kept_inputs, stopping},
    secret_masks::SecretMasks,
    variables::{DeclaredTypes, SystemVariables, ValueType},
};
use crate::{
    domain::{
        Code, Error, Result,
        app::{AppMode, Workflow, file::is_secret},
        conversation::{Ending, MessageRecord, RunRecord, RunStatus, WorkflowRunRecord},
    },
    ports::runtime::{self, RunEvent, RunEvents, RunStream},
    runtime::outbound::RunOutboundClient,
};

/// Events that the engine may be ahead of whoever hands them on.
const EVENTS_BETWEEN: usize = 8;
/// What the engine may take to end after its time is over.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// Events that go out when the run is stored: what a caller may take for its end.
const LAST: [&str; 2] = ["message_end", "workflow_finished"];

/// A run that can begin.
pub(super) struct GraphRun {
    begun: Begun,
    published: Arc<PublishedGraph>,
    workflow: Head,
    system: Map<String, Value>,
    environment: Map<String, Value>,
    masks: SecretMasks,
    variables: Map<String, Value>,
    types: DeclaredTypes,
    /// As the conversation has them; nothing where it begins.
    before: Map<String, Value>,
    introduction: String,
}

/// What is kept of a version with its runs.
struct Head {
    id: crate::domain::id::WorkflowId,
    version: String,
}

/// Why the engine is no longer listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deserted {
    Left,
    Stopping,
}

impl GraphRun {
    /// `app_unavailable` when the app asks for what is not done here.
    pub(super) fn new(inner: &Inner, begun: Begun, workflow: &Workflow) -> Result<Self> {
        check(&begun.asked, &workflow.features)?;
        let published = inner.published.graph(workflow, begun.asked.mode)?;
        let introduction = match &begun.conversation {
            Some(conversation) => conversation.introduction.clone(),
            None => opening(workflow, &begun.asked)?,
        };
        let mut variables = values(&workflow.conversation_variables);
        let types = types(&workflow.conversation_variables);
        for (name, value) in begun.conversation.iter().flat_map(|conversation| &conversation.variables) {
            // What a later version no longer has, or has as something else, is forgotten.
            let fits = value.is_null() || types.get(name).is_none_or(|declared| declared.holds(value));
            if let Some(known) = variables.get_mut(name).filter(|_| fits) {
                known.clone_from(value);
            }
        }
        let before = if begun.conversation.is_some() { variables.clone() } else { Map::new() };
        Ok(Self {
            system: system(&begun, workflow),
            environment: values(&workflow.environment_variables),
            masks: masks(&workflow.environment_variables),
            workflow: Head { id: workflow.id, version: workflow.version.clone() },
            begun,
            published,
            before,
            variables,
            types,
            introduction,
        })
    }

    /// Runs the graph, stores the run, and tells its end.
    pub(super) async fn run(mut self, inner: &Inner, out: RunEvents) {
        let began_at = inner.base.clock.now();
        let (events, told) = runtime::events(EVENTS_BETWEEN);
        let execution = self.execution(inner);
        // Side by side in this one task: the engine goes on, and watches its time, while a reader is waited for.
        let (outcome, (mut last, deserted)) = tokio::join!(
            async move {
                let outcome = execution.run(&events).await;
                drop(events);
                outcome
            },
            hand_on(inner, told, &out)
        );
        if deserted == Some(Deserted::Stopping) {
            last = vec![Err(stopping())];
        }
        match self.record(inner, outcome, deserted, began_at) {
            Ok(record) => inner.end(record, last, out).await,
            Err(error) => _ = out.send(Err(error)).await,
        }
    }

    fn execution(&mut self, inner: &Inner) -> Execution {
        let (begun, base) = (&self.begun, &inner.base);
        let ids = begun.ids;
        Execution {
            graph: Arc::clone(&self.published.graph),
            inputs: begun.asked.inputs.clone(),
            system: SystemVariables(self.system.clone()),
            environment: std::mem::take(&mut self.environment),
            masks: std::mem::take(&mut self.masks),
            conversation_variables: std::mem::take(&mut self.variables),
            conversation_types: std::mem::take(&mut self.types),
            task_id: ids.task,
            workflow_run_id: ids.workflow_run,
            workflow_id: self.workflow.id,
            conversation: (begun.asked.mode == AppMode::AdvancedChat)
                .then_some(engine::Conversation { conversation_id: ids.conversation, message_id: ids.message }),
            created_by: CreatedBy { id: begun.end_user.id().to_string(), user: begun.end_user.user.clone() },
            history: std::mem::take::<Vec<PromptMessage>>(&mut self.begun.history),
            models: Arc::clone(&base.models),
            templates: Arc::clone(&base.templates),
            outbound: RunOutboundClient::of(&base.outbound),
            clock: Arc::clone(&base.clock),
            entropy: Arc::clone(&base.entropy),
            limits: inner.limits,
            memory_budget: inner.memory_budget.clone(),
        }
    }

    fn record(
        self,
        inner: &Inner,
        outcome: Outcome,
        deserted: Option<Deserted>,
        began_at: DateTime<Utc>,
    ) -> Result<RunRecord> {
        let Self { begun, published, workflow, system, before, introduction, .. } = self;
        let reason = || outcome.error.clone().unwrap_or_default();
        let ending = match outcome.status {
            RunStatus::Succeeded => Ending::Succeeded,
            RunStatus::PartlySucceeded => Ending::PartlySucceeded,
            RunStatus::Failed => Ending::Failed(reason()),
            RunStatus::Stopped => Ending::Stopped(
                match deserted {
                    Some(Deserted::Stopping) => "The server stopped.",
                    _ => "The client disconnected.",
                }
                .to_owned(),
            ),
        };
        let message = if begun.asked.mode == AppMode::AdvancedChat {
            let metadata = Metadata::from(outcome.usage.block(outcome.elapsed, None));
            Some(MessageRecord {
                id: begun.ids.message,
                conversation_id: begun.ids.conversation,
                begins: begun.begins(&introduction, None),
                model: None,
                query: begun.asked.query.clone().unwrap_or_default(),
                prompt: Value::String(String::new()),
                answer: outcome.answer.clone(),
                prompt_tokens: outcome.usage.prompt_tokens,
                completion_tokens: outcome.usage.completion_tokens,
                latency: outcome.elapsed,
                metadata: serde_json::to_value(&metadata).map_err(Error::internal)?,
                variables: changed(outcome.conversation_variables.clone(), &before),
            })
        } else {
            None
        };
        let workflow_run = WorkflowRunRecord {
            id: begun.ids.workflow_run,
            workflow_id: workflow.id,
            version: workflow.version,
            graph: Arc::clone(&published.json),
            inputs: kept_inputs(&begun.asked.inputs, &system),
            total_tokens: outcome.total_tokens(),
            outputs: Value::Object(outcome.outputs),
            elapsed: outcome.elapsed,
            total_steps: u32::try_from(outcome.total_steps).unwrap_or(u32::MAX),
            exceptions_count: u32::try_from(outcome.exceptions_count).unwrap_or(u32::MAX),
        };
        Ok(RunRecord {
            end_user: begun.end_user,
            mode: begun.asked.mode,
            inputs: begun.asked.inputs,
            ending,
            began_at,
            ended_at: inner.base.clock.now(),
            message,
            workflow_run: Some(workflow_run),
        })
    }
}

/// Hands events on until there are no more; the last ones come back instead, to go out when the run is stored. When nobody
/// listens or the server stops, `told` is dropped, which stops the engine.
async fn hand_on(inner: &Inner, mut told: RunStream, out: &RunEvents) -> (Vec<Result<RunEvent>>, Option<Deserted>) {
    let mut last = Vec::new();
    let deadline = tokio::time::Instant::now() + inner.limits.run + AFTERWARDS;
    loop {
        let event = tokio::select! {
            biased;
            () = inner.base.end.cancelled() => return (last, Some(Deserted::Stopping)),
            event = told.next() => event,
            () = out.closed() => return (last, Some(Deserted::Left)),
        };
        match event {
            None => return (last, None),
            Some(Ok(event)) if LAST.contains(&&*event.event) => last.push(Ok(event)),
            Some(event) => {
                let sent = tokio::select! {
                    biased;
                    sent = out.send(event) => sent,
                    () = inner.base.end.cancelled() => return (last, Some(Deserted::Stopping)),
                    // The engine has ended by then: whoever does not read is not waited for.
                    () = tokio::time::sleep_until(deadline) => return (last, None),
                };
                if sent.is_err() {
                    return (last, Some(Deserted::Left));
                }
            }
        }
    }
}

/// What the features of a graph's app may ask for and is not done here.
fn check(asked: &Asked, features: &Value) -> Result<()> {
    let moderation = &features["sensitive_word_avoidance"];
    let lacking = if is_enabled(moderation) {
        let kind = moderation::lacking_kind(moderation).unwrap_or("keywords");
        format!("moderation by `{kind}` in a graph")
    } else if asked.has_files && is_enabled(&features["file_upload"]) {
        "files".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(Code::AppUnavailable, format!("This app uses {lacking}, which this service does not support.")))
}

/// What the app says first.
fn opening(workflow: &Workflow, asked: &Asked) -> Result<String> {
    let template = workflow.features.get("opening_statement").and_then(Value::as_str).unwrap_or_default();
    fill(template, inputs(&asked.inputs, &asked.form))
}

/// `sys.*`, as Dify fills them in.
fn system(begun: &Begun, workflow: &Workflow) -> Map<String, Value> {
    let mut system = Map::new();
    if begun.asked.mode == AppMode::AdvancedChat {
        let dialogues = begun.conversation.as_ref().map_or(0, |conversation| conversation.dialogue_count);
        system.insert("query".to_owned(), json!(begun.asked.query.as_deref().unwrap_or_default()));
        system.insert("conversation_id".to_owned(), json!(begun.ids.conversation.to_string()));
        system.insert("dialogue_count".to_owned(), json!(dialogues.saturating_add(1)));
    }
    system.insert("files".to_owned(), json!([]));
    system.insert("user_id".to_owned(), json!(begun.end_user.user));
    system.insert("app_id".to_owned(), json!(begun.end_user.app_id.to_string()));
    system.insert("workflow_id".to_owned(), json!(workflow.id.to_string()));
    system.insert("workflow_run_id".to_owned(), json!(begun.ids.workflow_run.to_string()));
    system
}

/// The variables that are not as they were before.
fn changed(mut variables: Map<String, Value>, before: &Map<String, Value>) -> Map<String, Value> {
    variables.retain(|name, value| before.get(name) != Some(value));
    variables
}

/// Variables by name: Dify keeps them as an object of `{"name", "value_type", "value"}`, DSL files as a list.
fn values(variables: &Value) -> Map<String, Value> {
    let named =
        |row: &Value| Some((row.get("name")?.as_str()?.to_owned(), row.get("value").cloned().unwrap_or_default()));
    rows(variables).filter_map(named).collect()
}

fn types(variables: &Value) -> DeclaredTypes {
    let typed = |row: &Value| {
        let declared = ValueType::named(row.get("value_type")?.as_str()?)?;
        Some((row.get("name")?.as_str()?.to_owned(), declared))
    };
    rows(variables).filter_map(typed).collect()
}

fn masks(variables: &Value) -> SecretMasks {
    SecretMasks::new(rows(variables).filter(|row| is_secret(row)).filter_map(|row| row["value"].as_str()))
}

fn rows(variables: &Value) -> impl Iterator<Item = &Value> {
    let (listed, named) = (variables.as_array(), variables.as_object());
    listed.into_iter().flatten().chain(named.into_iter().flat_map(Map::values))
}
