//! Which nodes of the graph itself are certain to run.
//!
//! A node is certain when a path of followed edges leads to it on which nothing is undecided any more: no branch, no
//! iteration, no earlier node with a text, and, for a text that refers to conversation variables, no node that writes
//! one of them. Certainty spreads along edges, and each edge carries each kind of it once, so that the cost is linear
//! in the size of the graph.

use std::collections::{BTreeSet, VecDeque};

use crate::runtime::builtin::graph::{
    index::NodeIx,
    node::NodeKind,
    topology::{Edge, Graph},
};

/// The conversation variables that a text refers to, by name.
pub(super) type ReadVariables<'g> = BTreeSet<&'g str>;

/// The node will run.
const WILL_RUN: u64 = 1;
/// The node will run, and no conversation variable changes before that.
const ALL_FINAL: u64 = 1 << 63;
/// Number of sets of variables that have a bit of their own, between the two.
const MAX_SETS: usize = 62;

/// The certainty of each node, as bits.
#[derive(Debug)]
pub(super) struct Certainty<'g> {
    graph: &'g Graph,
    bits: Vec<u64>,
    /// The sets of variables that texts refer to. The bit of a set means that the node will run, and that none of its
    /// variables changes before that.
    sets: Vec<ReadVariables<'g>>,
}

impl<'g> Certainty<'g> {
    /// `texts` has the variables of each text.
    pub(super) fn new<'t>(graph: &'g Graph, texts: impl IntoIterator<Item = &'t ReadVariables<'g>>) -> Self
    where
        'g: 't,
    {
        let distinct: BTreeSet<&ReadVariables<'g>> = texts.into_iter().filter(|set| !set.is_empty()).collect();
        let sets = distinct.into_iter().take(MAX_SETS).cloned().collect();
        Self { graph, bits: vec![0; graph.nodes().len()], sets }
    }

    /// Whether the node will run, and none of the variables changes before that.
    pub(super) fn is_certain(&self, node: NodeIx, variables: &ReadVariables<'g>) -> bool {
        let needed = if variables.is_empty() {
            WILL_RUN
        } else {
            self.sets.iter().position(|set| set == variables).map_or(ALL_FINAL, bit)
        };
        self.bits[node] & needed != 0
    }

    /// Spreads certainty from the start of the graph, before it runs. Returns the nodes that became certain.
    pub(super) fn begin(&mut self) -> Vec<NodeIx> {
        let start = self.graph.level(Graph::ROOT).start;
        self.spread([(start, u64::MAX)].into())
    }

    /// Spreads certainty from a node that ended along the edges that are followed. Returns the nodes that became more
    /// certain.
    pub(super) fn node_ended(&mut self, node: NodeIx, follows: impl Fn(&Edge) -> bool) -> Vec<NodeIx> {
        let graph = self.graph;
        // The node passed on everything else before it ended.
        let passed_on = self.held_back(node);
        if passed_on == 0 {
            return Vec::new();
        }
        let edges = graph.node(node).outgoing.iter().map(|&edge| graph.edge(edge)).filter(|edge| follows(edge));
        self.spread(edges.map(|edge| (edge.target, passed_on)).collect())
    }

    /// Returns the nodes that became more certain, by id: that is the order in which Dify writes texts that become
    /// certain together.
    fn spread(&mut self, mut spreading: VecDeque<(NodeIx, u64)>) -> Vec<NodeIx> {
        let graph = self.graph;
        let mut reached = Vec::new();
        while let Some((ix, bits)) = spreading.pop_front() {
            let new = bits & !self.bits[ix];
            if new == 0 {
                continue;
            }
            self.bits[ix] |= new;
            reached.push(ix);
            let passed_on = new & !self.held_back(ix);
            if passed_on != 0 {
                spreading.extend(graph.node(ix).outgoing.iter().map(|&edge| (graph.edge(edge).target, passed_on)));
            }
        }
        reached.sort_unstable_by(|&a, &b| graph.node(a).id.cmp(&graph.node(b).id));
        reached
    }

    /// The certainty that a node does not pass on until it has ended.
    fn held_back(&self, node: NodeIx) -> u64 {
        let node = self.graph.node(node);
        match &node.kind {
            _ if node.has_branches() => u64::MAX,
            NodeKind::Iteration(_) | NodeKind::Answer(_) | NodeKind::End(_) => u64::MAX,
            NodeKind::Assigner(data) => {
                let written: ReadVariables<'_> = data.written().collect();
                let changed = self.sets.iter().enumerate().filter(|(_, set)| !set.is_disjoint(&written));
                changed.fold(ALL_FINAL, |bits, (at, _)| bits | bit(at))
            }
            _ => 0,
        }
    }
}

/// The bit of a set of variables.
fn bit(set: usize) -> u64 {
    1 << (set + 1)
}
