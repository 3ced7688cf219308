//! Writes the events of a run and sends them to its reader.

use serde::Serialize;
use serde_json::Value;
use tokio::{
    sync::mpsc::error::TrySendError,
    time::{Instant, timeout_at},
};

use super::{error::RunError, execution::Execution, outcome::RunOutcome, pause::Pause};
use crate::{
    domain::Result,
    ports::runtime::{RunEvent, RunEvents},
    runtime::builtin::{
        events::{
            envelope::EventHead,
            message::{Message, MessageEnd, MessageMetadata, MessageReplace, TextChunk, TextReplace},
            workflow::{HumanInputRequired, PauseReason, WorkflowFinished, WorkflowPaused, WorkflowStarted},
        },
        model::usage::UsageBlock,
    },
};

/// The system variable that `workflow_started` leaves out: it belongs to the conversation, not to the run.
const CONVERSATION_ID: &str = "conversation_id";

/// Writes the events of one run. Sending waits while the reader is slow, until the deadline.
pub(super) struct EventWriter<'a> {
    execution: &'a Execution,
    events: &'a RunEvents,
    deadline: Instant,
    head: EventHead,
    workflow_run_id: String,
    workflow_id: String,
    /// Unix seconds.
    run_created_at: i64,
}

impl<'a> EventWriter<'a> {
    pub(super) fn new(execution: &'a Execution, events: &'a RunEvents, deadline: Instant) -> Self {
        let conversation = execution.conversation;
        let resumed = execution.resumption.as_ref();
        let run_created_at = resumed.map_or_else(|| execution.now(), |resumption| resumption.engine.run_created_at);
        let head = EventHead {
            conversation_id: conversation.map(|ids| ids.conversation.to_string()),
            message_id: conversation.map(|ids| ids.message.to_string()),
            created_at: conversation.map(|_| run_created_at),
            task_id: execution.task_id.to_string(),
        };
        Self {
            execution,
            events,
            deadline,
            head,
            workflow_run_id: execution.workflow_run_id.to_string(),
            workflow_id: execution.workflow_id.to_string(),
            run_created_at,
        }
    }

    /// The current time in Unix seconds.
    pub(super) fn now(&self) -> i64 {
        self.execution.now()
    }

    /// An event of the graph, with `data` as its `data` member.
    pub(super) async fn write(&self, event: &'static str, data: impl Serialize) -> Result<(), RunError> {
        self.send(self.head.graph_event(event, &self.workflow_run_id, data)).await
    }

    /// `message` or `text_chunk`: a piece of text, and the variable that it comes from.
    pub(super) async fn write_text(&self, text: &str, selector: &[&str]) -> Result<(), RunError> {
        match &self.head.message_id {
            Some(id) => {
                let message = Message { id, answer: text, from_variable_selector: Some(selector) };
                self.send(self.head.event("message", message)).await
            }
            None => self.write("text_chunk", TextChunk { text, from_variable_selector: selector }).await,
        }
    }

    /// `message_replace` or `text_replace`: replaces the text so far, because a node is tried again.
    pub(super) async fn replace_text(&self, text: &str) -> Result<(), RunError> {
        match &self.head.message_id {
            Some(_) => {
                let replace = MessageReplace { answer: text, reason: "retry" };
                self.send(self.head.event("message_replace", replace)).await
            }
            None => self.write("text_replace", TextReplace { text }).await,
        }
    }

    pub(super) async fn write_start(&self) -> Result<(), RunError> {
        let mut inputs = self.execution.inputs.clone();
        let system = self.execution.system.0.iter().filter(|(name, _)| *name != CONVERSATION_ID);
        inputs.extend(system.map(|(name, value): (&String, &Value)| (format!("sys.{name}"), value.clone())));
        let started = WorkflowStarted {
            id: &self.workflow_run_id,
            workflow_id: &self.workflow_id,
            inputs: &inputs,
            created_at: self.run_created_at,
        };
        self.write("workflow_started", started).await
    }

    /// Unix seconds.
    pub(super) const fn run_created_at(&self) -> i64 {
        self.run_created_at
    }

    /// `human_input_required` and `workflow_paused`.
    async fn write_pause(&self, outcome: &RunOutcome, pause: &Pause) -> Result<(), RunError> {
        let (required, form) = (&pause.form, &pause.form.form);
        let id = required.id.to_string();
        let event = HumanInputRequired {
            form_id: &id,
            node_id: &required.node_id,
            node_title: &required.node_title,
            form_content: &form.form_content,
            inputs: &form.inputs,
            actions: &form.user_actions,
            display_in_ui: form.display_in_ui,
            form_token: required.token.expose(),
            resolved_default_values: &form.resolved_default_values,
            expiration_time: required.expires_at.timestamp(),
        };
        self.write("human_input_required", event).await?;
        let paused = WorkflowPaused {
            workflow_run_id: &self.workflow_run_id,
            paused_nodes: [&required.node_id],
            reasons: [PauseReason { kind: "human_input_required", form: event }],
            outputs: &outcome.outputs,
            status: "paused",
            created_at: self.run_created_at,
            elapsed_time: super::node_events::seconds(outcome.elapsed),
            total_tokens: outcome.total_tokens(),
            total_steps: outcome.total_steps,
        };
        self.write("workflow_paused", paused).await
    }

    /// `message_end` in a conversation, and `workflow_finished`; for a run that waits, the form and the pause. Without
    /// a reader neither is written. Each waits for the reader until `deadline`; an event that cannot be sent is
    /// dropped, because the outcome is stored in any case.
    pub(super) async fn write_end(mut self, outcome: &RunOutcome, deadline: Instant) {
        if self.events.is_closed() {
            return;
        }
        self.deadline = deadline;
        if let Some(pause) = &outcome.pause {
            let _ = self.write_pause(outcome, pause).await;
            return;
        }
        let finished = WorkflowFinished {
            id: &self.workflow_run_id,
            workflow_id: &self.workflow_id,
            status: outcome.status.as_str(),
            outputs: &outcome.outputs,
            error: outcome.error.as_deref(),
            elapsed_time: super::node_events::seconds(outcome.elapsed),
            total_tokens: outcome.total_tokens(),
            total_steps: outcome.total_steps,
            created_by: &self.execution.created_by,
            created_at: self.run_created_at,
            finished_at: self.now(),
            exceptions_count: outcome.exceptions_count,
            files: [],
        };
        let usage = outcome.usage.block(outcome.elapsed, outcome.time_to_first_text);
        if self.write_message_end(usage).await.is_ok() {
            let _ = self.write("workflow_finished", finished).await;
        }
    }

    async fn write_message_end(&self, usage: UsageBlock) -> Result<(), RunError> {
        let Some(id) = &self.head.message_id else { return Ok(()) };
        let metadata = MessageMetadata::new(usage);
        let end = MessageEnd { id, metadata: &metadata, files: Some([]) };
        self.send(self.head.event("message_end", end)).await
    }

    async fn send(&self, event: Result<RunEvent>) -> Result<(), RunError> {
        // Events consist of texts and numbers, so that writing them as JSON does not fail.
        let event = event.map_err(|error| RunError::Failed(error.to_string()))?;
        match self.events.try_send(Ok(event)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(RunError::ClientDisconnected),
            Err(TrySendError::Full(event)) => match timeout_at(self.deadline, self.events.send(event)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(RunError::ClientDisconnected),
                Err(_) => Err(RunError::TimedOut),
            },
        }
    }
}
