//! Nodes of a checked graph that need what is not supported here. Unlike an invalid graph, such a graph can be
//! imported.

use super::{
    node::{Node, NodeKind},
    topology::Graph,
};

/// The reachable nodes that send files, each with the variable of its file.
pub(crate) fn nodes_that_send_files(graph: &Graph) -> Vec<String> {
    let is_reachable = |node: &&Node| node.slot != usize::MAX;
    graph.nodes().iter().filter(is_reachable).filter_map(file_of).collect()
}

fn file_of(node: &Node) -> Option<String> {
    let NodeKind::HttpRequest(data) = &node.kind else { return None };
    let variable = data.file_variable()?;
    Some(format!("the file `{variable}` in the node \"{}\" ({})", node.title, node.id))
}
