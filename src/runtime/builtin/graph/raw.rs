//! The graph as it stands in the file: what it must look like before it can mean anything.

use serde::Deserialize;
use serde_json::Value;

use super::{EDGES_MAX, NODES_MAX, SOURCE, refused};
use crate::domain::Result;

/// A node before its data is understood.
pub(super) struct RawNode<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub kind: &'a str,
    /// The iteration that it stands in.
    pub parent: Option<&'a str>,
    pub data: &'a Value,
}

/// An edge before its ends are found.
#[derive(Deserialize)]
pub(super) struct RawEdge<'a> {
    pub source: &'a str,
    pub target: &'a str,
    #[serde(rename = "sourceHandle", default, borrow)]
    handle: Option<&'a str>,
}

impl<'a> RawEdge<'a> {
    pub(super) fn handle(&self) -> &'a str {
        self.handle.filter(|handle| !handle.is_empty()).unwrap_or(SOURCE)
    }
}

/// Nodes and edges.
pub(super) struct RawGraph<'a> {
    pub nodes: Vec<RawNode<'a>>,
    pub edges: Vec<RawEdge<'a>>,
}

/// Reads the outline. Notes that people pinned to the canvas are not nodes.
pub(super) fn read(graph: &Value) -> Result<RawGraph<'_>> {
    let list = |name: &str, most: usize| -> Result<&Vec<Value>> {
        let items =
            graph.get(name).and_then(Value::as_array).ok_or_else(|| refused(format!("{name} is not a list")))?;
        if items.len() > most {
            return Err(refused(format!("it has {} {name}, but at most {most} are allowed", items.len())));
        }
        Ok(items)
    };
    let mut nodes = Vec::new();
    for (at, node) in list("nodes", NODES_MAX)?.iter().enumerate() {
        nodes.extend(read_node(at, node)?);
    }
    let edges = list("edges", EDGES_MAX)?
        .iter()
        .enumerate()
        .map(|(at, edge)| RawEdge::deserialize(edge).map_err(|fault| refused(format!("edges[{at}]: {fault}"))))
        .collect::<Result<_>>()?;
    Ok(RawGraph { nodes, edges })
}

fn read_node(at: usize, node: &Value) -> Result<Option<RawNode<'_>>> {
    let text = |value: &'_ Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if text(node, "type").as_deref() == Some("custom-note") {
        return Ok(None);
    }
    let data = node
        .get("data")
        .filter(|data| data.is_object())
        .ok_or_else(|| refused(format!("nodes[{at}].data is not an object")))?;
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
    // Notes of older files have no type, or an empty one.
    if kind.is_empty() && data.get("theme").is_some() || kind == "note" {
        return Ok(None);
    }
    let id = node
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .ok_or_else(|| refused(format!("nodes[{at}].id is not text")))?;
    let title = data.get("title").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() {
        return Err(refused(format!("nodes[{at}] (\"{title}\", {id}) has no type")));
    }
    let parent = [node.get("parentId"), data.get("iteration_id")]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|parent| !parent.is_empty());
    Ok(Some(RawNode { id, title, kind, parent, data }))
}
