//! Nodes that cannot run here: every one is named, so that a single look shows all that an app lacks.

use serde_json::Value;

use super::{error::invalid_graph, node_data::is_supported, raw::RawNode};
use crate::{domain::Result, runtime::builtin::name_list::name_list};

/// Rejects nodes of types that are not supported here.
pub(super) fn check_kinds(nodes: &[RawNode<'_>]) -> Result<()> {
    let unsupported: Vec<String> =
        nodes.iter().filter(|node| is_reported(node.kind, node.data)).map(describe).collect();
    match unsupported.as_slice() {
        [] => Ok(()),
        [one] => Err(invalid_graph(format_args!("the node {one} is not supported here"))),
        several => Err(invalid_graph(format_args!("the nodes {} are not supported here", name_list(several)))),
    }
}

/// Whether nodes of this type are reported as not supported. The ends of a loop are not: the loop itself is.
pub(crate) fn is_reported(kind: &str, data: &Value) -> bool {
    !is_supported(kind, data) && !matches!(kind, "loop-start" | "loop-end")
}

fn describe(node: &RawNode<'_>) -> String {
    let tools: Vec<String> = tools(node.data).map(|tool| format!("`{tool}`")).collect();
    let with = if tools.is_empty() { String::new() } else { format!(" with the tools {}", name_list(&tools)) };
    let of_kind = provider_kind(node.kind, node.data);
    format!("\"{}\" ({}) of type {}{with}{of_kind}", node.title, node.id, node.kind)
}

/// The kind of provider for which a `tool` node is not supported, as a part of a sentence; empty for other nodes.
pub(crate) fn provider_kind(kind: &str, data: &Value) -> String {
    let provider = data.get("provider_type").and_then(Value::as_str).filter(|_| kind == "tool");
    provider.map(|provider| format!(" of a provider of the type `{provider}`")).unwrap_or_default()
}

/// The tools of a `tool` node or an `agent` node.
pub(crate) fn tools(data: &Value) -> impl Iterator<Item = &str> {
    let listed = data.pointer("/agent_parameters/tools/value").and_then(Value::as_array).into_iter().flatten();
    std::iter::once(data).chain(listed).filter_map(|tool| tool.get("tool_name")).filter_map(Value::as_str)
}
