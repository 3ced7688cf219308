//! The state of iterations that run: their items, their rounds, and the outputs of those.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::{
    ids::{FrameId, IterationId},
    task::Task,
};
use crate::runtime::builtin::{
    model::Usage,
    variables::budget::{ByteBudget, VariableLimitError},
};

/// An iteration that runs.
#[derive(Debug)]
pub(super) struct Iteration {
    pub task: Task,
    pub items: Arc<Vec<Value>>,
    /// Index of the next item.
    next: usize,
    /// Number of rounds that run.
    running: usize,
    /// Outputs by round; `None` for a round that failed or has not ended.
    pub outputs: Vec<Option<Value>>,
    /// Number of rounds that ended.
    ended: usize,
    /// What is left for the outputs: they become one variable.
    budget: ByteBudget,
    /// Tokens of model calls inside the iteration.
    pub usage: Usage,
}

/// What an iteration does next.
pub(super) enum NextStep {
    /// Run a round for this item.
    Round { index: usize, items: Arc<Vec<Value>> },
    /// Wait for rounds that run.
    Wait,
    /// Every round has ended.
    Complete,
}

impl Iteration {
    /// `limit` is the largest size of all outputs, in bytes.
    pub(super) fn new(task: Task, items: Vec<Value>, limit: usize) -> Self {
        Self {
            task,
            outputs: vec![None; items.len()],
            items: Arc::new(items),
            next: 0,
            running: 0,
            ended: 0,
            budget: ByteBudget::new(limit),
            usage: Usage::default(),
        }
    }

    /// Takes the next step. At most `parallel` rounds run at a time.
    pub(super) fn next_step(&mut self, parallel: usize) -> NextStep {
        if self.ended == self.items.len() {
            return NextStep::Complete;
        }
        if self.running == parallel || self.next == self.items.len() {
            return NextStep::Wait;
        }
        let index = self.next;
        self.next += 1;
        self.running += 1;
        NextStep::Round { index, items: Arc::clone(&self.items) }
    }

    /// Stores the output of a round; `None` for a round that failed. Fails when all outputs together are too large.
    pub(super) fn end_round(&mut self, index: usize, output: Option<Value>) -> Result<(), VariableLimitError> {
        self.running -= 1;
        self.ended += 1;
        if let Some(output) = &output {
            self.budget.spend(output)?;
        }
        self.outputs[index] = output;
        Ok(())
    }
}

/// The iterations that run.
#[derive(Default)]
pub(super) struct Iterations {
    running: HashMap<IterationId, Iteration>,
    next_id: IterationId,
}

impl Iterations {
    pub(super) fn insert(&mut self, iteration: Iteration) -> IterationId {
        let id = self.next_id;
        self.next_id += 1;
        self.running.insert(id, iteration);
        id
    }

    pub(super) fn get(&self, id: IterationId) -> Option<&Iteration> {
        self.running.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: IterationId) -> Option<&mut Iteration> {
        self.running.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: IterationId) -> Option<Iteration> {
        self.running.remove(&id)
    }

    /// Removes the iterations whose node is in this frame.
    pub(super) fn remove_inside(&mut self, frame: FrameId) -> Vec<(IterationId, Iteration)> {
        self.running.extract_if(|_, iteration| iteration.task.frame == frame).collect()
    }
}
