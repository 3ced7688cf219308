//! A published graph, checked: every node of a known type with readable data, every edge between nodes of the same level, no
//! cycle, one start. Whatever is wrong is told with its place, before anything runs; the DSL importer calls the same.
//!
//! This is the static half of a run; `engine` is the other.

mod check;
mod node;
mod raw;

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

pub(in crate::runtime::builtin) use self::node::or_default;
pub(crate) use self::node::{Kind, Node, OnError, is_run};
use crate::domain::{Code, Error, Result, app::AppMode};

/// Most nodes of a graph.
pub(crate) const NODES_MAX: usize = 1000;
/// Most edges of a graph.
pub(crate) const EDGES_MAX: usize = 5000;
/// Iterations inside iterations, at most.
pub(crate) const DEPTH_MAX: usize = 4;

/// A node, as an index into its graph.
pub(crate) type NodeIx = usize;
/// An edge, as an index into its graph.
pub(crate) type EdgeIx = usize;
/// A level, as an index into its graph: 0 is the graph itself, the others are the insides of iterations.
pub(crate) type LevelIx = usize;

/// The handle of edges that leave a node without branches.
pub(crate) const SOURCE: &str = "source";
/// The handle of edges taken when a node fails.
pub(crate) const FAIL_BRANCH: &str = "fail-branch";

/// From one node to another of the same level.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Where it leaves.
    pub source: NodeIx,
    /// Where it leads.
    pub target: NodeIx,
    /// Which of the source's branches it belongs to.
    pub handle: String,
}

/// The graph itself, or the inside of an iteration.
#[derive(Debug)]
pub(crate) struct Level {
    /// Where it begins.
    pub start: NodeIx,
    /// The nodes that can be reached from there, in the graph's order.
    pub nodes: Vec<NodeIx>,
}

/// A graph that can be run.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    levels: Vec<Level>,
    by_id: HashMap<Arc<str>, NodeIx>,
}

impl Graph {
    /// Checks `{"nodes": […], "edges": […]}`. Everything wrong is `app_unavailable`, and the message says where.
    pub(crate) fn parse(graph: &Value, mode: AppMode) -> Result<Self> {
        if !mode.has_graph() {
            return Err(refused(format!("apps of mode {} have no graph", mode.as_str())));
        }
        check::graph(&raw::read(graph)?)
    }

    /// The level of the graph itself.
    pub(crate) const ROOT: LevelIx = 0;

    /// A node.
    pub(crate) fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix]
    }

    /// An edge.
    pub(crate) fn edge(&self, ix: EdgeIx) -> &Edge {
        &self.edges[ix]
    }

    /// A level.
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

/// The graph cannot be run, for this reason.
fn refused(reason: impl std::fmt::Display) -> Error {
    Error::new(Code::AppUnavailable, format!("The app's graph cannot be run: {reason}."))
}

#[cfg(test)]
mod tests;
