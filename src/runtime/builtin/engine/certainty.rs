//! Which nodes of the graph itself are certain to run.
//!
//! A node is certain when a path of followed edges leads to it on which nothing is undecided any more: no branch, no
//! iteration, no earlier node with a text, and, for texts that refer to conversation variables, no node that writes
//! them. Certainty spreads along edges, and each edge carries each kind of it once, so that the cost is linear in the
//! size of the graph.

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

    /// Spreads certainty from the start of the graph, before it runs. Returns the nodes that became certain.
    pub(super) fn begin(&mut self) -> Vec<NodeIx> {
        let start = self.graph.level(Graph::ROOT).start;
        self.spread([(start, WILL_RUN | CONVERSATION_FINAL)].into())
    }

    /// Spreads certainty from a node that ended along the edges that are followed. Returns the nodes that became more
    /// certain.
    pub(super) fn node_ended(&mut self, node: NodeIx, follows: impl Fn(&Edge) -> bool) -> Vec<NodeIx> {
        let graph = self.graph;
        // The node passed on everything else before it ended.
        let passed_on = held_back(graph, node);
        if passed_on == 0 {
            return Vec::new();
        }
        let edges = graph.node(node).outgoing.iter().map(|&edge| graph.edge(edge)).filter(|edge| follows(edge));
        self.spread(edges.map(|edge| (edge.target, passed_on)).collect())
    }

    /// Returns the nodes that became more certain, by id: that is the order in which Dify writes texts that become
    /// certain together.
    fn spread(&mut self, mut spreading: VecDeque<(NodeIx, u8)>) -> Vec<NodeIx> {
        let graph = self.graph;
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
        reached.sort_unstable_by(|&a, &b| graph.node(a).id.cmp(&graph.node(b).id));
        reached
    }
}

/// The certainty that a node does not pass on until it has ended.
fn held_back(graph: &Graph, node: NodeIx) -> u8 {
    let node = graph.node(node);
    match &node.kind {
        _ if node.has_branches() => WILL_RUN | CONVERSATION_FINAL,
        NodeKind::Iteration(_) | NodeKind::Answer(_) | NodeKind::End(_) => WILL_RUN | CONVERSATION_FINAL,
        NodeKind::Assigner(_) => CONVERSATION_FINAL,
        _ => 0,
    }
}
