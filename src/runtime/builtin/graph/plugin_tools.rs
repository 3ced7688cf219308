//! Nodes that invoke tools of plugins, which needs a plugin daemon. Unlike an invalid graph, a graph with such nodes
//! can be imported without one.

use super::{
    error::invalid_graph,
    node::{Node, NodeKind},
    topology::Graph,
};
use crate::{domain::Result, runtime::builtin::name_list::name_list};

/// How to add a plugin daemon.
pub(crate) const SET_DAEMON: &str = "set PLUGIN_DAEMON_URL and PLUGIN_DAEMON_KEY";

/// Rejects a graph whose reachable nodes invoke tools.
pub(crate) fn check_without_daemon(graph: &Graph) -> Result<()> {
    let described = |node: &Node| match &node.kind {
        NodeKind::Tool(data) if node.slot != usize::MAX => {
            Some(format!("the tool `{}` of the node \"{}\" ({})", data.tool(), node.title, node.id))
        }
        _ => None,
    };
    let tools: Vec<String> = graph.nodes().iter().filter_map(described).collect();
    if tools.is_empty() {
        return Ok(());
    }
    Err(invalid_graph(format_args!("a plugin daemon is missing for {}; {SET_DAEMON}", name_list(&tools))))
}
