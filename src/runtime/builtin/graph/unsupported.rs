//! Nodes that cannot run here: every one is named, so that a single look shows all that an app lacks.

use serde_json::Value;

use super::{error::invalid_graph, node_data::is_supported, raw::RawNode};
use crate::{domain::Result, runtime::builtin::name_list::name_list};

/// Rejects nodes of types that are not supported here.
pub(super) fn check_kinds(nodes: &[RawNode<'_>]) -> Result<()> {
    let unsupported: Vec<String> = nodes.iter().filter(|node| is_reported(node.kind)).map(describe).collect();
    match unsupported.as_slice() {
        [] => Ok(()),
        [one] => Err(invalid_graph(format_args!("the node {one} is not supported here"))),
        several => Err(invalid_graph(format_args!("the nodes {} are not supported here", name_list(several)))),
    }
}

/// Whether nodes of this type are reported as not supported. The ends of a loop are not: the loop itself is.
pub(crate) fn is_reported(kind: &str) -> bool {
    !is_supported(kind) && !matches!(kind, "loop-start" | "loop-end")
}

fn describe(node: &RawNode<'_>) -> String {
    let tools: Vec<String> = tools(node.data).map(|tool| format!("`{tool}`")).collect();
    let with = if tools.is_empty() { String::new() } else { format!(" with the tools {}", name_list(&tools)) };
    format!("\"{}\" ({}) of type {}{with}", node.title, node.id, node.kind)
}

/// The tools of a `tool` node or an `agent` node.
pub(crate) fn tools(data: &Value) -> impl Iterator<Item = &str> {
    let listed = data.pointer("/agent_parameters/tools/value").and_then(Value::as_array).into_iter().flatten();
    std::iter::once(data).chain(listed).filter_map(|tool| tool.get("tool_name")).filter_map(Value::as_str)
}
