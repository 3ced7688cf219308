//! Nodes, edges and levels of a checked graph.

use std::{collections::HashMap, sync::Arc};

use super::{
    index::{EdgeIx, LevelIx, NodeIx},
    node::Node,
};

/// The handle of edges that leave a node without branches.
pub(crate) const SOURCE: &str = "source";
/// The handle of edges that are followed when a node fails.
pub(crate) const FAIL_BRANCH: &str = "fail-branch";

/// Connects two nodes of the same level.
#[derive(Debug)]
pub(crate) struct Edge {
    pub source: NodeIx,
    pub target: NodeIx,
    /// Names the branch of the source that the edge belongs to.
    pub handle: String,
}

/// The graph itself, or the contents of an iteration.
#[derive(Debug)]
pub(crate) struct Level {
    pub start: NodeIx,
    /// The nodes that can be reached from `start`, in the graph's order.
    pub nodes: Vec<NodeIx>,
}

/// A checked graph.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    pub(super) levels: Vec<Level>,
    pub(super) by_id: HashMap<Arc<str>, NodeIx>,
}

impl Graph {
    /// The level of the graph itself.
    pub(crate) const ROOT: LevelIx = 0;

    pub(crate) fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix]
    }

    pub(crate) fn edge(&self, ix: EdgeIx) -> &Edge {
        &self.edges[ix]
    }

    pub(crate) fn level(&self, ix: LevelIx) -> &Level {
        &self.levels[ix]
    }

    /// Every node, in the graph's order.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this id.
    pub(crate) fn find(&self, id: &str) -> Option<NodeIx> {
        self.by_id.get(id).copied()
    }
}
