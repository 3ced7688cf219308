//! Runs iteration nodes: each round is a frame of its own. Rounds run one after the other or several at a time.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    error::RunError,
    event_writer::EventWriter,
    frame::Round,
    frames::Frames,
    ids::{FrameId, IterationId, ROOT_FRAME},
    iterations::{Iteration, Iterations, NextStep},
    node_end::NodeEnd,
    node_end_writer::write_node_end,
    node_events,
    task::Task,
    work_queue::{Work, WorkQueue},
};
use crate::runtime::builtin::{
    graph::{node::NodeKind, topology::Graph},
    json::JsonObject,
    model::Usage,
    nodes::{
        iteration::{IterationNodeData, OnRoundError},
        outcome::{NodeError, NodeOutcome},
    },
};

/// Runs the iterations of one run.
pub(super) struct IterationRunner<'g> {
    graph: &'g Graph,
    events: &'g EventWriter<'g>,
    iterations: Iterations,
}

impl<'g> IterationRunner<'g> {
    pub(super) fn new(graph: &'g Graph, events: &'g EventWriter<'g>) -> Self {
        Self { graph, events, iterations: Iterations::default() }
    }

    /// Starts an iteration. Its end is queued as the end of its node.
    pub(super) async fn start(
        &mut self,
        task: Task,
        data: &IterationNodeData,
        frames: &mut Frames<'_>,
        queue: &mut WorkQueue,
    ) -> Result<(), RunError> {
        let Some(view) = frames.view(task.frame) else { return Ok(()) };
        let items = match data.items(view) {
            Ok(items) => items,
            Err(error) => {
                queue.push_front(Work::NodeEnded(task, Err(error)));
                return Ok(());
            }
        };
        if items.is_empty() {
            queue.push_front(Work::NodeEnded(
                task,
                Ok(NodeOutcome { outputs: outputs(Vec::new()), ..NodeOutcome::default() }),
            ));
            return Ok(());
        }
        let node = self.graph.node(task.node);
        let started = node_events::iteration_started(node, &items, self.events.now());
        self.events.write("iteration_started", started).await?;
        let id = self.iterations.insert(Iteration::new(task, items, frames.variable_limit()));
        self.advance(id, data, frames, queue).await
    }

    /// Starts as many rounds as may run, or completes the iteration when every round has ended.
    async fn advance(
        &mut self,
        id: IterationId,
        data: &IterationNodeData,
        frames: &mut Frames<'_>,
        queue: &mut WorkQueue,
    ) -> Result<(), RunError> {
        while let Some(iteration) = self.iterations.get_mut(id) {
            // Iterations inside others run one round at a time: otherwise the numbers of rounds would multiply.
            let parallel = if iteration.task.frame == ROOT_FRAME { data.parallel() } else { 1 };
            match iteration.next_step(parallel) {
                NextStep::Round { index, items } => self.start_round(id, index, &items[index], frames, queue).await?,
                NextStep::Wait => break,
                NextStep::Complete => {
                    self.complete(id, data, queue);
                    break;
                }
            }
        }
        Ok(())
    }

    async fn start_round(
        &self,
        id: IterationId,
        index: usize,
        item: &Value,
        frames: &mut Frames<'_>,
        queue: &mut WorkQueue,
    ) -> Result<(), RunError> {
        let Some(task) = self.iterations.get(id).map(|iteration| &iteration.task) else { return Ok(()) };
        let node = self.graph.node(task.node);
        let NodeKind::Iteration(data) = &node.kind else { return Ok(()) };
        let next = node_events::iteration_next(node, index, self.events.now());
        self.events.write("iteration_next", next).await?;
        let round = Round { iteration: id, iteration_node_id: Arc::clone(&node.id), index };
        let Some(frame) = frames.open_round(task.frame, data.level, round) else { return Ok(()) };
        let mut variables = JsonObject::new();
        variables.insert("item".to_owned(), item.clone());
        variables.insert("index".to_owned(), json!(index));
        match frames.set(frame, &node.id, Arc::new(variables)) {
            Ok(()) => {
                if let Some(start) = frames.start(frame) {
                    queue.push(Work::Start(frame, start));
                }
            }
            Err(error) => queue.push(Work::RoundEnded(frame, Err(error.to_string()))),
        }
        Ok(())
    }

    /// Handles the end of a round. An error of the round ends the iteration or leaves a gap in its output.
    pub(super) async fn end_round(
        &mut self,
        frame: FrameId,
        result: Result<(), String>,
        frames: &mut Frames<'_>,
        queue: &mut WorkQueue,
    ) -> Result<(), RunError> {
        let Some(round) = frames.get(frame).and_then(|frame| frame.round.clone()) else { return Ok(()) };
        let Some(iteration) = self.iterations.get_mut(round.iteration) else { return Ok(()) };
        let NodeKind::Iteration(data) = &self.graph.node(iteration.task.node).kind else { return Ok(()) };
        let output = match &result {
            Ok(()) => {
                let found = frames.view(frame).and_then(|view| view.get(&data.output_selector));
                Some(found.cloned().unwrap_or_default())
            }
            Err(_) => None,
        };
        self.close(frame, frames).await?;
        let Some(iteration) = self.iterations.get_mut(round.iteration) else { return Ok(()) };
        if let Err(error) = iteration.end_round(round.index, output) {
            return self.fail(round.iteration, error.to_string(), frames, queue).await;
        }
        match result {
            Err(message) if data.error_handle_mode == OnRoundError::Terminated => {
                self.fail(round.iteration, message, frames, queue).await
            }
            _ => self.advance(round.iteration, data, frames, queue).await,
        }
    }

    fn complete(&mut self, id: IterationId, data: &IterationNodeData, queue: &mut WorkQueue) {
        let Some(iteration) = self.iterations.remove(id) else { return };
        let outputs = outputs(data.collect(iteration.outputs));
        let usage = Some(iteration.usage);
        let outcome = NodeOutcome { inputs: inputs(&iteration.items), outputs, usage, ..NodeOutcome::default() };
        queue.push_front(Work::NodeEnded(iteration.task, Ok(outcome)));
    }

    /// Ends an iteration with an error and stops its other rounds.
    async fn fail(
        &mut self,
        id: IterationId,
        message: String,
        frames: &mut Frames<'_>,
        queue: &mut WorkQueue,
    ) -> Result<(), RunError> {
        let Some(iteration) = self.iterations.remove(id) else { return Ok(()) };
        for round in frames.rounds_of(id) {
            self.close(round, frames).await?;
        }
        let mut error = NodeError::new("IterationNodeError", message).with_inputs(inputs(&iteration.items));
        error.usage = Some(iteration.usage);
        if let NodeKind::Iteration(data) = &self.graph.node(iteration.task.node).kind {
            // The rounds that ended, as in Dify: of sequential ones those before the failure, of parallel ones with
            // gaps.
            let mut rounds = iteration.outputs;
            if data.parallel() == 1 {
                rounds.truncate(rounds.iter().take_while(|round| round.is_some()).count());
            }
            error.outputs = outputs(data.collect(rounds));
        }
        queue.push_front(Work::NodeEnded(iteration.task, Err(error)));
        Ok(())
    }

    /// Adds tokens that a node of this frame used to the iteration around it.
    pub(super) fn add_usage(&mut self, frame: FrameId, usage: Usage, frames: &Frames<'_>) {
        let round = frames.get(frame).and_then(|frame| frame.round.as_ref());
        if let Some(iteration) = round.and_then(|round| self.iterations.get_mut(round.iteration)) {
            iteration.usage.add(usage);
        }
    }

    /// Closes a frame, and the rounds of all iterations inside it. Writes the end of each node that is stopped by that.
    async fn close(&mut self, frame: FrameId, frames: &mut Frames<'_>) -> Result<(), RunError> {
        let mut closing = vec![frame];
        // Inner nodes end before the iterations around them.
        let mut stopped = Vec::new();
        while let Some(id) = closing.pop() {
            let Some(tasks) = frames.close(id) else { continue };
            stopped.extend(tasks.into_iter().map(|task| (task, NodeEnd::stopped(JsonObject::new()))));
            for (iteration, state) in self.iterations.remove_inside(id) {
                closing.extend(frames.rounds_of(iteration));
                stopped.push((state.task, NodeEnd::stopped(inputs(&state.items))));
            }
        }
        for (task, end) in stopped.into_iter().rev() {
            write_node_end(self.events, self.graph, &task, &end).await?;
        }
        Ok(())
    }
}

fn outputs(output: Vec<Value>) -> JsonObject {
    let mut outputs = JsonObject::new();
    outputs.insert("output".to_owned(), output.into());
    outputs
}

fn inputs(items: &[Value]) -> JsonObject {
    let mut inputs = JsonObject::new();
    inputs.insert("iterator_selector".to_owned(), items.to_vec().into());
    inputs
}
