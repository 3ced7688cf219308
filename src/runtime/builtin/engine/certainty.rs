//! Which nodes of the graph itself are certain to run.
//!
//! A node is certain when a path of followed edges leads to it on which nothing is undecided any more: no branch, no
//! iteration, and, for texts that refer to conversation variables, no node that writes them. Certainty spreads along
//! edges, and each edge carries each kind of it once, so that the cost is linear in the size of the graph.

use std::collections::VecDeque;

use crate::runtime::builtin::graph::{
    index::NodeIx,
    node::NodeKind,
    topology::{Edge, Graph},
};

/// The node will run.
const WILL_RUN: u8 = 1;
/// The node will run, and conversation variables do not change before that.
const CONVERSATION_FINAL: u8 = 2;

/// The certainty of each node, as bits.
#[derive(Debug)]
pub(super) struct Certainty<'g> {
    graph: &'g Graph,
    bits: Vec<u8>,
}

impl<'g> Certainty<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        Self { graph, bits: vec![0; graph.nodes().len()] }
    }

    /// Whether the node will run and, if `conversation_final`, the conversation variables do not change before that.
    pub(super) fn is_certain(&self, node: NodeIx, conversation_final: bool) -> bool {
        self.bits[node] & (if conversation_final { CONVERSATION_FINAL } else { WILL_RUN }) != 0
    }

    /// Spreads certainty from a node that ended along the edges that are followed. Returns the nodes that became more
    /// certain, in the graph's order.
    pub(super) fn node_ended(&mut self, node: NodeIx, follows: impl Fn(&Edge) -> bool) -> Vec<NodeIx> {
        let graph = self.graph;
        // Certainty begins at the start. Other nodes passed on what they do not hold back before they ended.
        let is_start = node == graph.level(Graph::ROOT).start;
        let passed_on = if is_start { WILL_RUN | CONVERSATION_FINAL } else { held_back(graph, node) };
        let mut spreading: VecDeque<(NodeIx, u8)> = VecDeque::new();
        if passed_on != 0 {
            let edges = graph.node(node).outgoing.iter().map(|&edge| graph.edge(edge)).filter(|edge| follows(edge));
            spreading.extend(edges.map(|edge| (edge.target, passed_on)));
        }
        let mut reached = Vec::new();
        while let Some((ix, bits)) = spreading.pop_front() {
            let new = bits & !self.bits[ix];
            if new == 0 {
                continue;
            }
            self.bits[ix] |= new;
            reached.push(ix);
            let passed_on = new & !held_back(graph, ix);
            if passed_on != 0 {
                spreading.extend(graph.node(ix).outgoing.iter().map(|&edge| (graph.edge(edge).target, passed_on)));
            }
        }
        reached.sort_unstable();
        reached
    }
}

/// The certainty that a node does not pass on until it has ended.
fn held_back(graph: &Graph, node: NodeIx) -> u8 {
    let node = graph.node(node);
    match &node.kind {
        _ if node.has_branches() => WILL_RUN | CONVERSATION_FINAL,
        NodeKind::Iteration(_) => WILL_RUN | CONVERSATION_FINAL,
        NodeKind::Assigner(_) => CONVERSATION_FINAL,
        _ => 0,
    }
}
