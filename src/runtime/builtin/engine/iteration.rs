//! Iterations under way: each round is a frame of its own, one after the other or several side by side.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    event::{Empty, Iterated, IterationCompleted, IterationLength, IterationNext, IterationStarted, Tokens},
    frame::{self, Frame, FrameId, Round},
    schedule::{Halt, Schedule, Task, Work},
    tell::since,
};
use crate::runtime::builtin::{
    graph::node::NodeKind,
    json::JsonObject,
    model::Usage,
    nodes::{
        iteration::{IterationNodeData, OnRoundError},
        outcome::{NodeError, NodeOutcome},
    },
    variables::ByteBudget,
};

/// An iteration under way.
#[derive(Debug)]
pub(super) struct Iteration {
    task: Task,
    items: Arc<Vec<Value>>,
    /// The item that is next.
    next: usize,
    /// Rounds that run.
    running: usize,
    /// What the rounds put out, by their index; `None` where one failed or none was.
    outputs: Vec<Option<Value>>,
    /// Rounds that ended.
    ended: usize,
    /// What is left for what they put out: together it has to be one variable.
    budget: ByteBudget,
    /// What models took inside it.
    usage: Usage,
}

impl Schedule<'_> {
    /// Begins an iteration.
    pub(super) async fn iterate(&mut self, task: Task, data: &IterationNodeData) -> Result<(), Halt> {
        let Some(frame) = self.frames.get(&task.frame) else { return Ok(()) };
        let items = match data.items(self.pool.view(frame.scope)) {
            Ok(items) => items,
            Err(failure) => {
                self.work.push_front(Work::Ended(task, Err(failure)));
                return Ok(());
            }
        };
        let node = self.graph.node(task.node);
        let started = IterationStarted {
            id: &node.id,
            node_id: &node.id,
            node_type: node.kind.as_str(),
            title: &node.title,
            created_at: self.now(),
            extras: Empty {},
            metadata: IterationLength { iterator_length: items.len() },
            inputs: Iterated { iterator_selector: &items },
        };
        self.teller.tell("iteration_started", started).await?;
        let id = self.iterations_made;
        self.iterations_made += 1;
        let outputs = vec![None; items.len()];
        let budget = ByteBudget::new(self.pool.variable_limit());
        let (items, usage) = (Arc::new(items), Usage::default());
        let iteration = Iteration { task, items, next: 0, running: 0, outputs, ended: 0, budget, usage };
        self.iterations.insert(id, iteration);
        self.go_on(id, data).await
    }

    /// Opens as many rounds as may run, or ends the iteration when there is none left.
    async fn go_on(&mut self, id: u64, data: &IterationNodeData) -> Result<(), Halt> {
        loop {
            let Some(iteration) = self.iterations.get_mut(&id) else { return Ok(()) };
            if iteration.ended == iteration.items.len() {
                self.complete(id, data);
                return Ok(());
            }
            // Side by side in the graph itself only: in each other they would multiply.
            let parallel = if iteration.task.frame == frame::ROOT { data.parallel() } else { 1 };
            if iteration.running == parallel || iteration.next == iteration.items.len() {
                return Ok(());
            }
            let index = iteration.next;
            iteration.next += 1;
            iteration.running += 1;
            let (items, parent, node) = (iteration.items.clone(), iteration.task.frame, iteration.task.node);
            self.open_round(id, data, index, &items[index], parent, node).await?;
        }
    }

    async fn open_round(
        &mut self,
        id: u64,
        data: &IterationNodeData,
        index: usize,
        item: &Value,
        parent: FrameId,
        node: usize,
    ) -> Result<(), Halt> {
        let graph = self.graph;
        let node = graph.node(node);
        let Some(parent) = self.frames.get(&parent).map(|frame| frame.scope) else { return Ok(()) };
        let next = IterationNext {
            id: &node.id,
            node_id: &node.id,
            node_type: node.kind.as_str(),
            title: &node.title,
            index,
            created_at: self.now(),
            extras: Empty {},
        };
        self.teller.tell("iteration_next", next).await?;
        let scope = self.pool.open(parent);
        let frame = self.frames_made;
        self.frames_made += 1;
        let round = Round { iteration: id, iteration_id: node.id.clone(), index };
        self.frames.insert(frame, Frame::new(graph, data.level, scope, Some(round)));
        let mut variables = JsonObject::new();
        variables.insert("item".to_owned(), item.clone());
        variables.insert("index".to_owned(), json!(index));
        match self.pool.set(scope, &node.id, Arc::new(variables)) {
            Ok(()) => self.enter(frame),
            Err(fault) => self.work.push_back(Work::Round(frame, Err(fault.to_string()))),
        }
        Ok(())
    }

    /// A round has ended.
    pub(super) async fn round_ended(&mut self, frame: FrameId, result: Result<(), String>) -> Result<(), Halt> {
        let Some(round) = self.frames.get(&frame).and_then(|frame| frame.round.clone()) else { return Ok(()) };
        let graph = self.graph;
        let Some(iteration) = self.iterations.get(&round.iteration) else { return Ok(()) };
        let NodeKind::Iteration(data) = &graph.node(iteration.task.node).kind else { return Ok(()) };
        let output = match &result {
            Ok(()) => {
                let scope = self.frames.get(&frame).map(|frame| frame.scope);
                let found = scope.and_then(|scope| self.pool.view(scope).get(&data.output_selector));
                Some(found.cloned().unwrap_or_default())
            }
            Err(_) => None,
        };
        self.close(frame);
        let Some(iteration) = self.iterations.get_mut(&round.iteration) else { return Ok(()) };
        iteration.running -= 1;
        iteration.ended += 1;
        if let Some(Err(fault)) = output.as_ref().map(|output| iteration.budget.spend(output)) {
            self.give_up(round.iteration, fault.to_string());
            return Ok(());
        }
        iteration.outputs[round.index] = output;
        match result {
            Err(message) if data.error_handle_mode == OnRoundError::Terminated => {
                self.give_up(round.iteration, message);
                Ok(())
            }
            _ => self.go_on(round.iteration, data).await,
        }
    }

    /// Every round has ended.
    fn complete(&mut self, id: u64, data: &IterationNodeData) {
        let Some(iteration) = self.iterations.remove(&id) else { return };
        let mut outputs = JsonObject::new();
        outputs.insert("output".to_owned(), data.collect(iteration.outputs).into());
        let usage = Some(iteration.usage);
        let finished = NodeOutcome { inputs: inputs(&iteration.items), outputs, usage, ..NodeOutcome::default() };
        self.work.push_front(Work::Ended(iteration.task, Ok(finished)));
    }

    /// A round failed and the iteration with it: what else runs in it is stopped.
    fn give_up(&mut self, id: u64, message: String) {
        let Some(iteration) = self.iterations.remove(&id) else { return };
        self.close_rounds(id);
        let mut failure = NodeError::new("IterationNodeError", message).with_inputs(inputs(&iteration.items));
        failure.usage = Some(iteration.usage);
        self.work.push_front(Work::Ended(iteration.task, Err(failure)));
    }

    /// A node of this frame took this: so did the iteration around it.
    pub(super) fn credit(&mut self, frame: FrameId, usage: Usage) {
        let round = self.frames.get(&frame).and_then(|frame| frame.round.as_ref());
        if let Some(iteration) = round.and_then(|round| self.iterations.get_mut(&round.iteration)) {
            iteration.usage.add(usage);
        }
    }

    fn close_rounds(&mut self, iteration: u64) {
        let of = |frame: &Frame| frame.round.as_ref().is_some_and(|round| round.iteration == iteration);
        let rounds: Vec<FrameId> = self.frames.iter().filter(|(_, frame)| of(frame)).map(|(&id, _)| id).collect();
        for round in rounds {
            self.close(round);
        }
    }

    /// Forgets a frame, stops what runs in it, and closes the rounds of iterations inside it.
    fn close(&mut self, id: FrameId) {
        let Some(frame) = self.frames.remove(&id) else { return };
        for task in &frame.tasks {
            task.abort();
        }
        let inside: Vec<u64> =
            self.iterations.iter().filter(|(_, inner)| inner.task.frame == id).map(|(&inner, _)| inner).collect();
        for inner in inside {
            self.iterations.remove(&inner);
            self.close_rounds(inner);
        }
        self.pool.close(frame.scope);
    }

    /// `iteration_completed`.
    pub(super) async fn tell_iteration_end(
        &self,
        task: &Task,
        finished: &NodeOutcome,
        outputs: &JsonObject,
        status: &'static str,
        error: Option<&str>,
    ) -> Result<(), Halt> {
        let node = self.graph.node(task.node);
        let items = finished.inputs.get("iterator_selector").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let tokens = finished.usage.unwrap_or_default().total_tokens();
        let completed = IterationCompleted {
            id: &node.id,
            node_id: &node.id,
            node_type: node.kind.as_str(),
            title: &node.title,
            outputs,
            created_at: task.created_at,
            extras: Empty {},
            inputs: Iterated { iterator_selector: items },
            status,
            error,
            elapsed_time: since(task.started),
            total_tokens: tokens,
            execution_metadata: Tokens::new(tokens),
            finished_at: self.now(),
            steps: items.len(),
        };
        self.teller.tell("iteration_completed", completed).await
    }
}

fn inputs(items: &[Value]) -> JsonObject {
    let mut inputs = JsonObject::new();
    inputs.insert("iterator_selector".to_owned(), items.to_vec().into());
    inputs
}
