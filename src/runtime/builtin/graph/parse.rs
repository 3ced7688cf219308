//! Checks a graph and builds its topology.

use std::{collections::HashMap, sync::Arc};

use serde_json::Value;

use super::{
    error::invalid_graph,
    index::NodeIx,
    levels::{find_levels, find_starts},
    node::Node,
    node_data::read_node,
    raw::{RawEdge, RawGraph, read_graph},
    topology::{Edge, FAIL_BRANCH, Graph, Level},
    unsupported::check_kinds,
};
use crate::domain::{Result, app::AppMode};

/// Checks `{"nodes": […], "edges": […]}`. Returns `app_unavailable` for the first fault; the message names its place.
pub(crate) fn parse_graph(graph: &Value, mode: AppMode) -> Result<Graph> {
    if !mode.has_graph() {
        return Err(invalid_graph(format!("apps of mode {} have no graph", mode.as_str())));
    }
    build(&read_graph(graph)?)
}

fn build(raw: &RawGraph<'_>) -> Result<Graph> {
    // Unsupported types come first: their contents, such as those of a loop, may be where no supported node can be.
    check_kinds(&raw.nodes)?;
    let levels = find_levels(&raw.nodes)?;
    let mut nodes = Vec::with_capacity(raw.nodes.len());
    let mut by_id = HashMap::with_capacity(raw.nodes.len());
    for (ix, node) in raw.nodes.iter().enumerate() {
        let node = read_node(node, levels.of_node[ix])?;
        if by_id.insert(node.id.clone(), ix).is_some() {
            return Err(invalid_graph(format!("two nodes have the id {}", node.id)));
        }
        nodes.push(node);
    }
    let starts = find_starts(&mut nodes, &by_id, &levels)?;
    let mut edges = resolve_edges(&raw.edges, &nodes, &by_id)?;
    // The editor keeps the edges of a fail branch that was switched off. They are never followed.
    edges.retain(|edge| edge.handle != FAIL_BRANCH || nodes[edge.source].has_branches());
    let reachable = connect(&mut nodes, &edges, &starts);
    check_acyclic(&nodes, &edges, &reachable)?;
    let mut levels: Vec<Level> = starts.into_iter().map(|start| Level { start, nodes: Vec::new() }).collect();
    for (ix, node) in nodes.iter_mut().enumerate().filter(|(ix, _)| reachable[*ix]) {
        let level = &mut levels[node.level].nodes;
        node.slot = level.len();
        level.push(ix);
    }
    Ok(Graph { nodes, edges, levels, by_id })
}

fn resolve_edges(raw: &[RawEdge<'_>], nodes: &[Node], by_id: &HashMap<Arc<str>, NodeIx>) -> Result<Vec<Edge>> {
    let find = |at: usize, id: &str| {
        by_id.get(id).copied().ok_or_else(|| invalid_graph(format!("edges[{at}] refers to {id}, which is not a node")))
    };
    raw.iter()
        .enumerate()
        .map(|(at, edge)| {
            let (source, target) = (find(at, edge.source)?, find(at, edge.target)?);
            if nodes[source].level != nodes[target].level {
                return Err(invalid_graph(format!(
                    "edges[{at}] crosses the boundary of an iteration, from {} to {}",
                    edge.source, edge.target
                )));
            }
            Ok(Edge { source, target, handle: edge.handle().to_owned() })
        })
        .collect()
}

/// Adds the edges to their nodes, and returns which nodes are reachable. Edges from unreachable nodes are not added to
/// `incoming`: their target would wait forever.
fn connect(nodes: &mut [Node], edges: &[Edge], starts: &[NodeIx]) -> Vec<bool> {
    for (ix, edge) in edges.iter().enumerate() {
        nodes[edge.source].outgoing.push(ix);
    }
    let mut reachable = vec![false; nodes.len()];
    let mut pending = starts.to_vec();
    while let Some(ix) = pending.pop() {
        if !std::mem::replace(&mut reachable[ix], true) {
            pending.extend(nodes[ix].outgoing.iter().map(|&edge| edges[edge].target));
        }
    }
    for (ix, edge) in edges.iter().enumerate().filter(|(_, edge)| reachable[edge.source]) {
        nodes[edge.target].incoming.push(ix);
    }
    reachable
}

/// Removes nodes without incoming edges until no such node is left. What remains is on a cycle or behind one.
fn check_acyclic(nodes: &[Node], edges: &[Edge], reachable: &[bool]) -> Result<()> {
    let mut waiting: Vec<usize> = nodes.iter().map(|node| node.incoming.len()).collect();
    let mut free: Vec<NodeIx> = (0..nodes.len()).filter(|&ix| reachable[ix] && waiting[ix] == 0).collect();
    let mut left = reachable.iter().filter(|&&reachable| reachable).count();
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
    let on = (0..nodes.len()).find(|&ix| reachable[ix] && waiting[ix] > 0).map(|ix| &nodes[ix]);
    let (title, id) = on.map_or(("", ""), |node| (node.title.as_str(), &*node.id));
    Err(invalid_graph(format!("there is a cycle at the node \"{title}\" ({id})")))
}
