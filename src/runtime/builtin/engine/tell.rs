//! What a run tells of itself, and what is left of it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time;

use super::{
    Outcome,
    event::{CreatedBy, Empty, Metadata, NodeFinished, NodeStarted, Tokens, WorkflowFinished, WorkflowStarted},
    schedule::{Halt, Schedule, Task},
};
use crate::{
    domain::conversation::RunStatus,
    runtime::builtin::{
        graph::node::NodeKind,
        json::JsonObject,
        model::Usage,
        nodes::outcome::{NodeError, NodeOutcome},
    },
};

/// What `workflow_started` does not tell: it is the conversation's, not the run's.
const UNTOLD: &str = "conversation_id";

impl Schedule<'_> {
    /// `workflow_started`.
    pub(super) async fn tell_start(&self) -> Result<(), Halt> {
        let execution = self.execution;
        let mut inputs = execution.inputs.clone();
        let system = execution.system.0.iter().filter(|(name, _)| *name != UNTOLD);
        inputs.extend(system.map(|(name, value)| (format!("sys.{name}"), value.clone())));
        let started = WorkflowStarted {
            id: self.teller.run_id(),
            workflow_id: &execution.workflow_id.to_string(),
            inputs: &inputs,
            created_at: self.run_created_at,
        };
        self.teller.tell("workflow_started", started).await
    }

    /// What is told of a node from its start on.
    pub(super) fn told<'a>(&'a self, task: &'a Task) -> NodeStarted<'a> {
        let node = self.graph.node(task.node);
        let frame = self.frames.get(&task.frame);
        let predecessor = frame.and_then(|frame| frame.predecessor(self.graph, task.node));
        NodeStarted {
            id: &task.id,
            node_id: &node.id,
            node_type: node.kind.as_str(),
            title: &node.title,
            index: task.index,
            predecessor_node_id: predecessor.map(|ix| &*self.graph.node(ix).id),
            inputs: None,
            created_at: task.created_at,
            extras: Empty {},
            parallel_id: (),
            parallel_start_node_id: (),
            parent_parallel_id: (),
            parent_parallel_start_node_id: (),
            iteration_id: frame.and_then(|frame| frame.round.as_ref()).map(|round| &*round.iteration_id),
            loop_id: (),
        }
    }

    /// `node_retry`: an attempt failed, and another follows.
    pub(super) async fn tell_attempt(&self, task: &Task, failure: &NodeError) -> Result<(), Halt> {
        if matches!(self.graph.node(task.node).kind, NodeKind::Iteration(_)) {
            return Ok(());
        }
        let mut finished = self.finished(task, &failure.inputs, &failure.process_data, failure.usage);
        finished.outputs = Some(&failure.outputs);
        finished.status = "retry";
        finished.error = Some(&failure.message);
        finished.retry_index = Some(task.failed);
        self.teller.tell("node_retry", finished).await
    }

    /// `node_finished`, or `iteration_completed`.
    pub(super) async fn tell_end_of(
        &mut self,
        task: &Task,
        finished: &NodeOutcome,
        outputs: &JsonObject,
        status: &'static str,
        error: Option<&str>,
    ) -> Result<(), Halt> {
        if matches!(self.graph.node(task.node).kind, NodeKind::Iteration(_)) {
            return self.tell_iteration_end(task, finished, outputs, status, error).await;
        }
        let mut told = self.finished(task, &finished.inputs, &finished.process_data, finished.usage);
        told.outputs = Some(outputs);
        told.status = status;
        told.error = error;
        self.teller.tell("node_finished", told).await
    }

    fn finished<'a>(
        &'a self,
        task: &'a Task,
        inputs: &'a JsonObject,
        process_data: &'a JsonObject,
        usage: Option<Usage>,
    ) -> NodeFinished<'a> {
        let mut node = self.told(task);
        node.inputs = Some(inputs);
        let metadata =
            Metadata { tokens: usage.map(|usage| Tokens::new(usage.total_tokens())), iteration_id: node.iteration_id };
        let told = metadata.tokens.is_some() || metadata.iteration_id.is_some();
        NodeFinished {
            node,
            process_data: Some(process_data),
            outputs: None,
            status: "",
            error: None,
            elapsed_time: seconds(task.started.elapsed()),
            execution_metadata: told.then_some(metadata),
            finished_at: self.now(),
            files: [],
            retry_index: None,
        }
    }

    /// What is left of the run.
    pub(super) fn outcome(&mut self, status: RunStatus, error: Option<String>, elapsed: Duration) -> Outcome {
        // Nodes that still run are stopped, so that what they took is counted.
        drop(std::mem::take(self.running.get_mut()));
        let mut outputs = std::mem::take(&mut self.outputs);
        if self.answered {
            outputs.insert("answer".to_owned(), self.answer.clone().into());
            outputs.insert("files".to_owned(), json!([]));
        }
        Outcome {
            status,
            outputs,
            answer: std::mem::take(&mut self.answer),
            error,
            elapsed,
            usage: self.taken.of_run(),
            total_steps: self.steps,
            exceptions_count: self.exceptions,
            conversation_variables: self.pool.conversation().clone(),
        }
    }

    /// `message_end` and `workflow_finished`. Whether anybody hears them no longer matters.
    pub(super) async fn tell_end(&mut self, outcome: &Outcome) {
        if outcome.status == RunStatus::Stopped {
            return;
        }
        self.teller.until(time::Instant::now() + self.execution.limits.grace);
        let usage = outcome.usage.block(outcome.elapsed, self.first_said);
        let execution = self.execution;
        let finished = WorkflowFinished {
            id: self.teller.run_id(),
            workflow_id: &execution.workflow_id.to_string(),
            status: outcome.status.as_str(),
            outputs: &outcome.outputs,
            error: outcome.error.as_deref(),
            elapsed_time: seconds(outcome.elapsed),
            total_tokens: outcome.total_tokens(),
            total_steps: outcome.total_steps,
            created_by: CreatedBy { id: &execution.created_by.id, user: &execution.created_by.user },
            created_at: self.run_created_at,
            finished_at: self.now(),
            exceptions_count: outcome.exceptions_count,
            files: [],
        };
        if self.teller.end_message(&usage).await.is_ok() {
            // Nobody listens, or not any more: the outcome is stored all the same.
            let _ = self.teller.tell("workflow_finished", finished).await;
        }
    }
}

/// Seconds, to the microsecond.
pub(super) fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e6).round() / 1e6
}

/// Seconds since then.
pub(super) fn since(then: Instant) -> f64 {
    seconds(then.elapsed())
}
