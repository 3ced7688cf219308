//! A level of the graph while it runs: which nodes wait for what.

use std::{collections::VecDeque, sync::Arc};

use futures_util::future::AbortHandle;

use crate::runtime::builtin::{
    graph::{
        index::{EdgeIx, LevelIx, NodeIx},
        topology::{Edge, Graph},
    },
    variables::ScopeId,
};

/// A frame, never used twice in a run.
pub(super) type FrameId = u64;

/// The frame of the graph itself.
pub(super) const ROOT: FrameId = 0;

/// Where a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Edges that lead to it are undecided.
    Waiting,
    /// It runs, or is about to.
    Running,
    /// It ran.
    Done,
    /// No edge that leads to it was taken.
    Skipped,
}

#[derive(Clone, Debug)]
struct State {
    progress: Progress,
    /// Edges that lead to it and are undecided.
    undecided: usize,
    /// The first node whose edge to it was taken.
    predecessor: Option<NodeIx>,
}

/// The round of an iteration that a frame is.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// The iteration under way.
    pub iteration: u64,
    /// Its node's id, for the events of nodes inside.
    pub iteration_id: Arc<str>,
    /// Which round it is, from 0.
    pub index: usize,
}

/// One run of a level.
#[derive(Debug)]
pub(super) struct Frame {
    /// The level.
    pub level: LevelIx,
    /// Where its nodes write.
    pub scope: ScopeId,
    /// The round it is; `None` for the graph itself.
    pub round: Option<Round>,
    /// Nodes that run or are about to.
    pub active: usize,
    /// Stops what runs in it.
    pub tasks: Vec<AbortHandle>,
    states: Vec<State>,
}

impl Frame {
    /// A frame in which nothing has run.
    pub(super) fn new(graph: &Graph, level: LevelIx, scope: ScopeId, round: Option<Round>) -> Self {
        let states = graph.level(level).nodes.iter().map(|&ix| State {
            progress: Progress::Waiting,
            undecided: graph.node(ix).incoming.len(),
            predecessor: None,
        });
        Self { level, scope, round, active: 0, tasks: Vec::new(), states: states.collect() }
    }

    /// Where a node of this level is; `None` for one that can never run.
    pub(super) fn progress(&self, graph: &Graph, node: NodeIx) -> Option<Progress> {
        self.states.get(graph.node(node).slot).map(|state| state.progress)
    }

    /// The node whose edge led to this one.
    pub(super) fn predecessor(&self, graph: &Graph, node: NodeIx) -> Option<NodeIx> {
        self.states.get(graph.node(node).slot).and_then(|state| state.predecessor)
    }

    /// Begins with this node.
    pub(super) fn enter(&mut self, graph: &Graph, node: NodeIx) {
        self.active += 1;
        self.states[graph.node(node).slot].progress = Progress::Running;
    }

    /// A node ran, and takes some of its edges. Returns the nodes that can run now. Where no edge is taken the nodes are skipped,
    /// and those after them, until one that another edge leads to.
    pub(super) fn leave(&mut self, graph: &Graph, node: NodeIx, takes: impl Fn(&Edge) -> bool) -> Vec<NodeIx> {
        self.active -= 1;
        self.states[graph.node(node).slot].progress = Progress::Done;
        let mut ready = Vec::new();
        let mut decided: VecDeque<(EdgeIx, bool)> =
            graph.node(node).outgoing.iter().map(|&edge| (edge, takes(graph.edge(edge)))).collect();
        while let Some((ix, taken)) = decided.pop_front() {
            let edge = graph.edge(ix);
            let state = &mut self.states[graph.node(edge.target).slot];
            state.undecided -= 1;
            if taken {
                state.predecessor.get_or_insert(edge.source);
            }
            if state.undecided > 0 {
                continue;
            }
            if state.predecessor.is_some() {
                state.progress = Progress::Running;
                self.active += 1;
                ready.push(edge.target);
            } else {
                state.progress = Progress::Skipped;
                decided.extend(graph.node(edge.target).outgoing.iter().map(|&edge| (edge, false)));
            }
        }
        ready
    }
}
