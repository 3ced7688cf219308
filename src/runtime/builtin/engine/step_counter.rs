//! Counts executions of nodes and limits their number.

use super::{
    error::RunError,
    ids::{FrameId, ROOT_FRAME},
};
use crate::runtime::builtin::run_limits::RunLimits;

/// The executions of nodes in one run.
#[derive(Default)]
pub(super) struct StepCounter {
    total: usize,
    /// Those of nodes of the graph itself.
    root: usize,
}

impl StepCounter {
    /// Counts an execution in this frame. Returns its number in the run, from 1.
    pub(super) fn count(&mut self, frame: FrameId, limits: &RunLimits) -> Result<usize, RunError> {
        self.total += 1;
        self.root += usize::from(frame == ROOT_FRAME);
        if self.root > limits.root_steps || self.total > limits.total_steps {
            return Err(RunError::Failed(format!("Maximum execution steps exceeded: {}", limits.root_steps)));
        }
        Ok(self.total)
    }

    /// The executions in all, and those of nodes of the graph itself.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.total, self.root)
    }

    /// Continues a run with these counts.
    pub(super) fn restore(&mut self, (total, root): (usize, usize)) {
        (self.total, self.root) = (total, root);
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }
}
