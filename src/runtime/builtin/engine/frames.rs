//! The frames of a run with their variables: one for the graph itself, and one for each round of an iteration that
//! runs.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::AbortHandle;

use super::{
    frame::{Frame, Round},
    ids::{FrameId, IterationId, ROOT_FRAME},
    task::Task,
};
use crate::runtime::builtin::{
    graph::{
        index::{LevelIx, NodeIx},
        topology::{Edge, Graph},
    },
    json::JsonObject,
    variables::{
        budget::VariableLimitError,
        pool::{ScopeId, VariablePool, VariableView},
    },
};

/// The open frames, and the pool in which each has a scope.
pub(super) struct Frames<'g> {
    graph: &'g Graph,
    pool: VariablePool,
    open: HashMap<FrameId, Frame>,
    next_id: FrameId,
}

impl<'g> Frames<'g> {
    /// Opens the frame of the graph itself.
    pub(super) fn new(graph: &'g Graph, pool: VariablePool) -> Self {
        let root = Frame::new(graph, Graph::ROOT, VariablePool::ROOT, None);
        Self { graph, pool, open: HashMap::from([(ROOT_FRAME, root)]), next_id: ROOT_FRAME + 1 }
    }

    /// `None` for a closed frame.
    pub(super) fn get(&self, id: FrameId) -> Option<&Frame> {
        self.open.get(&id)
    }

    /// The variables that nodes of a frame can read.
    pub(super) fn view(&self, id: FrameId) -> Option<VariableView<'_>> {
        self.open.get(&id).map(|frame| self.pool.view(frame.scope))
    }

    /// The pool, with the scope of a frame.
    pub(super) fn pool_mut(&mut self, id: FrameId) -> Option<(&mut VariablePool, ScopeId)> {
        self.open.get(&id).map(|frame| (&mut self.pool, frame.scope))
    }

    /// Largest size of one variable, in bytes.
    pub(super) fn variable_limit(&self) -> usize {
        self.pool.variable_limit()
    }

    /// The conversation variables.
    pub(super) fn conversation(&self) -> &JsonObject {
        self.pool.conversation()
    }

    /// Stores the outputs of a node in the scope of a frame. Does nothing for a closed frame.
    pub(super) fn set(
        &mut self,
        id: FrameId,
        node_id: &Arc<str>,
        outputs: Arc<JsonObject>,
    ) -> Result<(), VariableLimitError> {
        let Some(frame) = self.open.get(&id) else { return Ok(()) };
        self.pool.set(frame.scope, node_id, outputs)
    }

    /// Opens a frame whose scope is inside that of `parent`. Returns `None` when `parent` is closed.
    pub(super) fn open_round(&mut self, parent: FrameId, level: LevelIx, round: Round) -> Option<FrameId> {
        let parent = self.open.get(&parent)?.scope;
        let scope = self.pool.open(parent);
        let id = self.next_id;
        self.next_id += 1;
        self.open.insert(id, Frame::new(self.graph, level, scope, Some(round)));
        Some(id)
    }

    /// Marks the first node of a frame as running and returns it.
    pub(super) fn start(&mut self, id: FrameId) -> Option<NodeIx> {
        let frame = self.open.get_mut(&id)?;
        let start = self.graph.level(frame.level).start;
        frame.start(self.graph, start);
        Some(start)
    }

    /// Does what [`Frame::leave`] does; `None` for a closed frame.
    pub(super) fn leave(&mut self, id: FrameId, node: NodeIx, follows: impl Fn(&Edge) -> bool) -> Option<Vec<NodeIx>> {
        self.open.get_mut(&id).map(|frame| frame.leave(self.graph, node, follows))
    }

    /// Makes closing the frame of a task abort it.
    pub(super) fn add_task(&mut self, task: Task, handle: AbortHandle) {
        if let Some(frame) = self.open.get_mut(&task.frame) {
            frame.add_task(task, handle);
        }
    }

    /// The task no longer runs.
    pub(super) fn remove_task(&mut self, task: &Task) {
        if let Some(frame) = self.open.get_mut(&task.frame) {
            frame.remove_task(task);
        }
    }

    /// The open rounds of an iteration.
    pub(super) fn rounds_of(&self, iteration: IterationId) -> Vec<FrameId> {
        let belongs = |frame: &Frame| frame.round.as_ref().is_some_and(|round| round.iteration == iteration);
        self.open.iter().filter(|(_, frame)| belongs(frame)).map(|(&id, _)| id).collect()
    }

    /// Closes a frame: drops its variables and aborts what runs in it. Returns the tasks that it aborted; `None` when
    /// the frame was closed already.
    pub(super) fn close(&mut self, id: FrameId) -> Option<Vec<Task>> {
        let frame = self.open.remove(&id)?;
        self.pool.close(frame.scope);
        Some(frame.stop())
    }
}
