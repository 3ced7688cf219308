//! Levels of a graph: the graph itself, and the contents of each iteration.

use std::{collections::HashMap, sync::Arc};

use super::{
    error::invalid_graph,
    index::{LevelIx, NodeIx},
    limits::MAX_DEPTH,
    node::{Node, NodeKind},
    raw::RawNode,
    topology::Graph,
};
use crate::domain::Result;

pub(super) struct Levels {
    /// The level of each node.
    pub of_node: Vec<LevelIx>,
    /// The iteration whose contents each level is; `None` for the graph itself.
    iteration: Vec<Option<NodeIx>>,
}

/// Assigns each node to a level.
pub(super) fn find_levels(nodes: &[RawNode<'_>]) -> Result<Levels> {
    let by_id: HashMap<&str, NodeIx> = nodes.iter().enumerate().map(|(ix, node)| (node.id, ix)).collect();
    let mut iteration = vec![None];
    let mut level_of = HashMap::new();
    for (ix, node) in nodes.iter().enumerate().filter(|(_, node)| node.kind == "iteration") {
        level_of.insert(node.id, iteration.len());
        iteration.push(Some(ix));
    }
    let mut of_node = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut level = Graph::ROOT;
        if let Some(parent) = node.parent {
            level = *level_of.get(parent).ok_or_else(|| {
                invalid_graph(format!(
                    "the node \"{}\" ({}) is inside {parent}, which is not an iteration",
                    node.title, node.id
                ))
            })?;
            // The limit also ends the search when iterations contain each other.
            let (mut above, mut depth) = (Some(parent), 0);
            while let Some(id) = above {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(invalid_graph(format!(
                        "the node \"{}\" ({}) is nested in more than {MAX_DEPTH} iterations",
                        node.title, node.id
                    )));
                }
                above = by_id.get(id).and_then(|&ix| nodes[ix].parent);
            }
        }
        of_node.push(level);
    }
    Ok(Levels { of_node, iteration })
}

/// Finds the start of each level, and stores the level in the data of its iteration.
pub(super) fn find_starts(
    nodes: &mut [Node],
    by_id: &HashMap<Arc<str>, NodeIx>,
    levels: &Levels,
) -> Result<Vec<NodeIx>> {
    let mut starts = Vec::with_capacity(levels.iteration.len());
    for (level, iteration) in levels.iteration.iter().enumerate() {
        let here = || nodes.iter().enumerate().filter(move |(_, node)| node.level == level);
        let Some(iteration) = iteration.map(|ix| &nodes[ix]) else {
            let mut found = here().filter(|(_, node)| matches!(node.kind, NodeKind::Start)).map(|(ix, _)| ix);
            let start = found.next().ok_or_else(|| invalid_graph("it has no start node"))?;
            if let Some(second) = found.next() {
                let second = &nodes[second];
                return Err(invalid_graph(format!(
                    "the node \"{}\" ({}) is a second start node",
                    second.title, second.id
                )));
            }
            starts.push(start);
            continue;
        };
        let misplaced =
            here().map(|(_, node)| node).find(|node| matches!(node.kind, NodeKind::Start | NodeKind::End(_)));
        if let Some(node) = misplaced {
            let (title, id, kind) = (&node.title, &node.id, node.kind.as_str());
            return Err(invalid_graph(format!(
                "the node \"{title}\" ({id}) of type {kind} cannot be inside an iteration"
            )));
        }
        let named = match &iteration.kind {
            NodeKind::Iteration(data) => data.start_node_id.as_deref().filter(|id| !id.is_empty()),
            _ => None,
        };
        let start = match named {
            Some(id) => by_id.get(id).copied().filter(|&ix| nodes[ix].level == level),
            None => here().find(|(_, node)| matches!(node.kind, NodeKind::IterationStart)).map(|(ix, _)| ix),
        };
        starts.push(start.ok_or_else(|| {
            invalid_graph(format!("the iteration \"{}\" ({}) has no start node", iteration.title, iteration.id))
        })?);
    }
    if let Some(node) =
        nodes.iter().find(|node| node.level == Graph::ROOT && matches!(node.kind, NodeKind::IterationStart))
    {
        return Err(invalid_graph(format!("the node \"{}\" ({}) is not inside an iteration", node.title, node.id)));
    }
    for (level, iteration) in levels.iteration.iter().enumerate() {
        if let Some(NodeKind::Iteration(data)) = iteration.map(|ix| &mut nodes[ix].kind) {
            data.level = level;
        }
    }
    Ok(starts)
}
