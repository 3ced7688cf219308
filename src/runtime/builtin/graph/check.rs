//! From nodes and edges to a graph that can be run.

use std::{collections::HashMap, sync::Arc};

use super::{
    DEPTH_MAX, Edge, FAIL_BRANCH, Graph, Kind, Level, LevelIx, Node, NodeIx, node,
    raw::{RawEdge, RawGraph, RawNode},
    refused,
};
use crate::domain::Result;

/// Checks everything; the first fault is the answer.
pub(super) fn graph(raw: &RawGraph<'_>) -> Result<Graph> {
    // Before anything else: what is not run here may stand where nothing that is run here does, as a loop's inside.
    raw.nodes.iter().try_for_each(node::check_kind)?;
    let levels = levels(&raw.nodes)?;
    let mut nodes = Vec::with_capacity(raw.nodes.len());
    let mut by_id = HashMap::with_capacity(raw.nodes.len());
    for (ix, node) in raw.nodes.iter().enumerate() {
        let node = node::read(node, levels.of_node[ix])?;
        if by_id.insert(node.id.clone(), ix).is_some() {
            return Err(refused(format!("two nodes have the id {}", node.id)));
        }
        nodes.push(node);
    }
    let starts = starts(&mut nodes, &by_id, &levels)?;
    let mut edges = edges(&raw.edges, &nodes, &by_id)?;
    // Left over from when the node had a branch for its failures: nobody goes there, so nobody is to say what stands there.
    edges.retain(|edge| edge.handle != FAIL_BRANCH || nodes[edge.source].branches());
    let reached = connect(&mut nodes, &edges, &starts);
    acyclic(&nodes, &edges, &reached)?;
    let mut levels: Vec<Level> = starts.into_iter().map(|start| Level { start, nodes: Vec::new() }).collect();
    for (ix, node) in nodes.iter_mut().enumerate().filter(|(ix, _)| reached[*ix]) {
        let level = &mut levels[node.level].nodes;
        node.slot = level.len();
        level.push(ix);
    }
    Ok(Graph { nodes, edges, levels, by_id })
}

/// Which level each node stands on, and which iteration each level is the inside of.
struct Levels {
    of_node: Vec<LevelIx>,
    inside: Vec<Option<NodeIx>>,
}

fn levels(nodes: &[RawNode<'_>]) -> Result<Levels> {
    let place: HashMap<&str, NodeIx> = nodes.iter().enumerate().map(|(ix, node)| (node.id, ix)).collect();
    let mut inside = vec![None];
    let mut level_of = HashMap::new();
    for (ix, node) in nodes.iter().enumerate().filter(|(_, node)| node.kind == "iteration") {
        level_of.insert(node.id, inside.len());
        inside.push(Some(ix));
    }
    let mut of_node = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut level = Graph::ROOT;
        if let Some(parent) = node.parent {
            level = *level_of.get(parent).ok_or_else(|| {
                refused(format!(
                    "the node \"{}\" ({}) is inside {parent}, which is not an iteration",
                    node.title, node.id
                ))
            })?;
            // Up to the top, in so many steps; a circle of parents never gets there.
            let (mut above, mut depth) = (Some(parent), 0);
            while let Some(id) = above {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(refused(format!(
                        "the node \"{}\" ({}) is nested in more than {DEPTH_MAX} iterations",
                        node.title, node.id
                    )));
                }
                above = place.get(id).and_then(|&ix| nodes[ix].parent);
            }
        }
        of_node.push(level);
    }
    Ok(Levels { of_node, inside })
}

/// Where each level begins.
fn starts(nodes: &mut [Node], by_id: &HashMap<Arc<str>, NodeIx>, levels: &Levels) -> Result<Vec<NodeIx>> {
    let mut starts = Vec::with_capacity(levels.inside.len());
    for (level, inside) in levels.inside.iter().enumerate() {
        let here = || nodes.iter().enumerate().filter(move |(_, node)| node.level == level);
        let Some(iteration) = inside.map(|ix| &nodes[ix]) else {
            let mut found = here().filter(|(_, node)| matches!(node.kind, Kind::Start)).map(|(ix, _)| ix);
            let start = found.next().ok_or_else(|| refused("it has no start node"))?;
            if let Some(second) = found.next() {
                let second = &nodes[second];
                return Err(refused(format!("the node \"{}\" ({}) is a second start node", second.title, second.id)));
            }
            starts.push(start);
            continue;
        };
        let misplaced = here().map(|(_, node)| node).find(|node| matches!(node.kind, Kind::Start | Kind::End(_)));
        if let Some(node) = misplaced {
            let (title, id, kind) = (&node.title, &node.id, node.kind.as_str());
            return Err(refused(format!("the node \"{title}\" ({id}) of type {kind} cannot be inside an iteration")));
        }
        let named = match &iteration.kind {
            Kind::Iteration(data) => data.start_node_id.as_deref().filter(|id| !id.is_empty()),
            _ => None,
        };
        let start = match named {
            Some(id) => by_id.get(id).copied().filter(|&ix| nodes[ix].level == level),
            None => here().find(|(_, node)| matches!(node.kind, Kind::IterationStart)).map(|(ix, _)| ix),
        };
        starts.push(start.ok_or_else(|| {
            refused(format!("the iteration \"{}\" ({}) has no start node", iteration.title, iteration.id))
        })?);
    }
    if let Some(node) = nodes.iter().find(|node| node.level == Graph::ROOT && matches!(node.kind, Kind::IterationStart))
    {
        return Err(refused(format!("the node \"{}\" ({}) is not inside an iteration", node.title, node.id)));
    }
    for (level, inside) in levels.inside.iter().enumerate() {
        if let Some(Kind::Iteration(data)) = inside.map(|ix| &mut nodes[ix].kind) {
            data.level = level;
        }
    }
    Ok(starts)
}

fn edges(raw: &[RawEdge<'_>], nodes: &[Node], by_id: &HashMap<Arc<str>, NodeIx>) -> Result<Vec<Edge>> {
    let find = |at: usize, id: &str| {
        by_id.get(id).copied().ok_or_else(|| refused(format!("edges[{at}] refers to {id}, which is not a node")))
    };
    raw.iter()
        .enumerate()
        .map(|(at, edge)| {
            let (source, target) = (find(at, edge.source)?, find(at, edge.target)?);
            if nodes[source].level != nodes[target].level {
                return Err(refused(format!(
                    "edges[{at}] crosses the boundary of an iteration, from {} to {}",
                    edge.source, edge.target
                )));
            }
            Ok(Edge { source, target, handle: edge.handle().to_owned() })
        })
        .collect()
}

/// Ties the edges to their nodes. Edges from nodes that can never run are left out, for nobody is to wait for them.
fn connect(nodes: &mut [Node], edges: &[Edge], starts: &[NodeIx]) -> Vec<bool> {
    for (ix, edge) in edges.iter().enumerate() {
        nodes[edge.source].outgoing.push(ix);
    }
    let mut reached = vec![false; nodes.len()];
    let mut ahead = starts.to_vec();
    while let Some(ix) = ahead.pop() {
        if !std::mem::replace(&mut reached[ix], true) {
            ahead.extend(nodes[ix].outgoing.iter().map(|&edge| edges[edge].target));
        }
    }
    for (ix, edge) in edges.iter().enumerate().filter(|(_, edge)| reached[edge.source]) {
        nodes[edge.target].incoming.push(ix);
    }
    reached
}

/// Takes away nodes nothing leads to until none is left; a node on a cycle stays.
fn acyclic(nodes: &[Node], edges: &[Edge], reached: &[bool]) -> Result<()> {
    let mut waiting: Vec<usize> = nodes.iter().map(|node| node.incoming.len()).collect();
    let mut free: Vec<NodeIx> = (0..nodes.len()).filter(|&ix| reached[ix] && waiting[ix] == 0).collect();
    let mut left = reached.iter().filter(|&&reached| reached).count();
    while let Some(ix) = free.pop() {
        left -= 1;
        for &edge in &nodes[ix].outgoing {
            let target = edges[edge].target;
            waiting[target] -= 1;
            if waiting[target] == 0 {
                free.push(target);
            }
        }
    }
    if left == 0 {
        return Ok(());
    }
    let on = (0..nodes.len()).find(|&ix| reached[ix] && waiting[ix] > 0).map(|ix| &nodes[ix]);
    let (title, id) = on.map_or(("", ""), |node| (node.title.as_str(), &*node.id));
    Err(refused(format!("there is a cycle at the node \"{title}\" ({id})")))
}
