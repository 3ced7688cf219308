//! Nodes and edges as the file has them, before their data is read and their references are resolved.

use serde::Deserialize;
use serde_json::Value;

use super::{
    data_error::typed,
    error::invalid_graph,
    limits::{MAX_EDGES, MAX_NODES},
    topology::SOURCE,
};
use crate::domain::Result;

pub(super) struct RawNode<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub kind: &'a str,
    /// Id of the iteration that contains the node.
    pub parent: Option<&'a str>,
    pub data: &'a Value,
}

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

pub(super) struct RawGraph<'a> {
    pub nodes: Vec<RawNode<'a>>,
    pub edges: Vec<RawEdge<'a>>,
}

/// Reads ids, types and parents. Notes on the canvas are left out: they are not nodes.
pub(super) fn read_graph(graph: &Value) -> Result<RawGraph<'_>> {
    let list = |name: &str, limit: usize| -> Result<&Vec<Value>> {
        let items =
            graph.get(name).and_then(Value::as_array).ok_or_else(|| invalid_graph(format!("{name} is not a list")))?;
        if items.len() > limit {
            return Err(invalid_graph(format!("it has {} {name}, but at most {limit} are allowed", items.len())));
        }
        Ok(items)
    };
    let mut nodes = Vec::new();
    for (at, node) in list("nodes", MAX_NODES)?.iter().enumerate() {
        nodes.extend(read_node(at, node)?);
    }
    let edges = list("edges", MAX_EDGES)?
        .iter()
        .enumerate()
        .map(|(at, edge)| typed(edge).map_err(|error| invalid_graph(format!("edges[{at}]: {error}"))))
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
        .ok_or_else(|| invalid_graph(format!("nodes[{at}].data is not an object")))?;
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
    // Notes of older files have no type, or an empty one.
    if kind.is_empty() && data.get("theme").is_some() || kind == "note" {
        return Ok(None);
    }
    let id = node
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .ok_or_else(|| invalid_graph(format!("nodes[{at}].id is not text")))?;
    let title = data.get("title").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() {
        return Err(invalid_graph(format!("nodes[{at}] (\"{title}\", {id}) has no type")));
    }
    let parent = [node.get("parentId"), data.get("iteration_id")]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|parent| !parent.is_empty());
    Ok(Some(RawNode { id, title, kind, parent, data }))
}
