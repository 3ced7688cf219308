//! The state of the nodes of one level while it runs: which node waits for which edges.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures_util::future::AbortHandle;

use super::{ids::IterationId, task::Task};
use crate::runtime::builtin::{
    graph::{
        index::{EdgeIx, LevelIx, NodeIx},
        topology::{Edge, Graph},
    },
    variables::pool::ScopeId,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NodeProgress {
    /// Some edges that lead to the node are undecided.
    Waiting,
    /// The node runs or is queued.
    Running,
    Done,
    /// No edge that leads to the node was followed.
    Skipped,
}

#[derive(Clone, Debug)]
struct NodeState {
    progress: NodeProgress,
    /// Number of undecided edges that lead to the node.
    undecided: usize,
    /// Source of the first edge to the node that was followed.
    predecessor: Option<NodeIx>,
}

/// The round of an iteration that a frame runs.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub iteration: IterationId,
    pub iteration_node_id: Arc<str>,
    /// Number of the round, from 0.
    pub index: usize,
}

/// One run of a level.
#[derive(Debug)]
pub(super) struct Frame {
    pub level: LevelIx,
    /// Where the nodes of the frame write their outputs.
    pub scope: ScopeId,
    /// `None` for the graph itself.
    pub round: Option<Round>,
    /// Number of nodes that run or are queued.
    active: usize,
    /// The tasks that run concurrently, or pause before another attempt, by their number.
    tasks: HashMap<usize, (Task, AbortHandle)>,
    nodes: Vec<NodeState>,
}

impl Frame {
    /// A frame whose nodes all wait.
    pub(super) fn new(graph: &Graph, level: LevelIx, scope: ScopeId, round: Option<Round>) -> Self {
        let nodes = graph.level(level).nodes.iter().map(|&ix| NodeState {
            progress: NodeProgress::Waiting,
            undecided: graph.node(ix).incoming.len(),
            predecessor: None,
        });
        Self { level, scope, round, active: 0, tasks: HashMap::new(), nodes: nodes.collect() }
    }

    /// Makes [`Self::stop`] abort a task.
    pub(super) fn add_task(&mut self, task: Task, handle: AbortHandle) {
        self.tasks.insert(task.index, (task, handle));
    }

    /// The task no longer runs.
    pub(super) fn remove_task(&mut self, task: &Task) {
        self.tasks.remove(&task.index);
    }

    /// Aborts the tasks that run. Returns them in the order of their start.
    pub(super) fn stop(self) -> Vec<Task> {
        let mut tasks: Vec<Task> = self
            .tasks
            .into_values()
            .map(|(task, handle)| {
                handle.abort();
                task
            })
            .collect();
        tasks.sort_unstable_by_key(|task| task.index);
        tasks
    }

    /// The progress of a node of this level; `None` for an unreachable one.
    pub(super) fn progress(&self, graph: &Graph, node: NodeIx) -> Option<NodeProgress> {
        self.nodes.get(graph.node(node).slot).map(|state| state.progress)
    }

    pub(super) fn predecessor(&self, graph: &Graph, node: NodeIx) -> Option<NodeIx> {
        self.nodes.get(graph.node(node).slot).and_then(|state| state.predecessor)
    }

    /// Whether no node runs or is queued.
    pub(super) fn is_finished(&self) -> bool {
        self.active == 0
    }

    /// Marks the first node of the level as running.
    pub(super) fn start(&mut self, graph: &Graph, node: NodeIx) {
        self.active += 1;
        self.nodes[graph.node(node).slot].progress = NodeProgress::Running;
    }

    /// Marks a node as done and decides its edges. Returns the nodes that can start. A node that no edge leads to any
    /// more is skipped, and so are its own edges.
    pub(super) fn leave(&mut self, graph: &Graph, node: NodeIx, follows: impl Fn(&Edge) -> bool) -> Vec<NodeIx> {
        self.active -= 1;
        self.nodes[graph.node(node).slot].progress = NodeProgress::Done;
        let mut ready = Vec::new();
        let mut decided: VecDeque<(EdgeIx, bool)> =
            graph.node(node).outgoing.iter().map(|&edge| (edge, follows(graph.edge(edge)))).collect();
        while let Some((ix, followed)) = decided.pop_front() {
            let edge = graph.edge(ix);
            let state = &mut self.nodes[graph.node(edge.target).slot];
            state.undecided -= 1;
            if followed {
                state.predecessor.get_or_insert(edge.source);
            }
            if state.undecided > 0 {
                continue;
            }
            if state.predecessor.is_some() {
                state.progress = NodeProgress::Running;
                self.active += 1;
                ready.push(edge.target);
            } else {
                state.progress = NodeProgress::Skipped;
                decided.extend(graph.node(edge.target).outgoing.iter().map(|&edge| (edge, false)));
            }
        }
        ready
    }
}
