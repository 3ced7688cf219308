//! Nodes that send files, which is not supported here. Unlike an invalid graph, a graph with such nodes can be
//! imported.

use std::fmt;

use serde_json::Value;

use super::{
    node::{Node, NodeKind},
    node_data::read_kind,
    topology::Graph,
};

/// A node that sends a file.
pub(crate) struct FileUpload {
    pub node_id: String,
    title: String,
    /// The variable of the file.
    pub variable: String,
}

impl fmt::Display for FileUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file `{}` in the node \"{}\" ({})", self.variable, self.title, self.node_id)
    }
}

/// The reachable nodes of a checked graph that send files.
pub(crate) fn file_uploads(graph: &Graph) -> Vec<FileUpload> {
    let is_reachable = |node: &&Node| node.slot != usize::MAX;
    let upload = |node: &Node| {
        let variable = sent_by(&node.kind)?;
        Some(FileUpload { node_id: node.id.to_string(), title: node.title.clone(), variable })
    };
    graph.nodes().iter().filter(is_reachable).filter_map(upload).collect()
}

/// The variable of the file that a node with this data sends. For graphs that cannot be checked.
pub(crate) fn file_sent_by(kind: &str, data: &Value) -> Option<String> {
    sent_by(&read_kind(kind, data)?)
}

fn sent_by(kind: &NodeKind) -> Option<String> {
    let NodeKind::HttpRequest(data) = kind else { return None };
    data.file_variable().map(ToString::to_string)
}
