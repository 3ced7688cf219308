//! Checks the graph of an app: its shape, with the place of each fault, then with the checks of the engine.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{
    error::DslError,
    findings::{EVERY_RUN, Findings},
};
use crate::{
    domain::app::{
        AppMode,
        file::{AppBody, GraphBody, is_secret},
    },
    runtime::builtin::{
        graph::{
            file_uploads::{file_sent_by, file_uploads},
            limits::{MAX_EDGES, MAX_NODES},
            node_data::data_error,
            parse::parse_graph,
            plugin_tools::SET_DAEMON,
            unsupported::{is_reported, provider_kind, tools},
        },
        graph_features::unsupported_feature,
        name_list::name_list,
    },
};

const GRAPH: &str = "workflow.graph";

/// Reads `workflow`.
pub(super) fn read(document: &Value, mode: AppMode, findings: &mut Findings) -> Result<AppBody, DslError> {
    let workflow = &document["workflow"];
    if !workflow.is_object() {
        let mode = mode.as_str();
        return Err(DslError::at("workflow", format_args!("must be a mapping in an app of mode {mode}")));
    }
    let graph = &workflow["graph"];
    if !graph.is_object() {
        return Err(DslError::at(GRAPH, "must be a mapping with `nodes` and `edges`"));
    }
    let nodes = nodes(list(graph, "nodes", MAX_NODES)?)?;
    let edges = edges(list(graph, "edges", MAX_EDGES)?, &nodes)?;
    acyclic(&nodes, &edges)?;
    let (unsupported_nodes, others): (Vec<_>, Vec<_>) =
        nodes.iter().partition(|node| is_reported(node.kind, node.data));
    let unsupported: Vec<DslError> = unsupported_nodes.into_iter().map(unsupported).collect();
    if !findings.has_plugin_daemon {
        findings.unsupported.extend(others.into_iter().filter(|node| node.kind == "tool").map(without_daemon));
    }
    let unreadable: Vec<DslError> = nodes.iter().filter_map(unreadable).collect();
    let first = unreadable.first().filter(|_| unsupported.is_empty()).cloned();
    let is_supported = unsupported.is_empty();
    findings.unsupported.extend(unsupported);
    findings.unsupported.extend(unreadable);
    if let Some(fault) = first {
        return Err(fault);
    }
    // The engine rejects a graph with a type that it does not support.
    if is_supported {
        let graph = parse_graph(graph, mode).map_err(|error| DslError::at(GRAPH, error.message()))?;
        let uploads = file_uploads(&graph);
        let variable = |node: &NodeOutline<'_>| uploads.iter().find(|upload| upload.node_id == node.id);
        findings.unsupported.extend(nodes.iter().filter_map(|node| Some(sends_file(node, &variable(node)?.variable))));
    } else {
        let variable = |node: &NodeOutline<'_>| file_sent_by(node.kind, node.data);
        findings.unsupported.extend(nodes.iter().filter_map(|node| Some(sends_file(node, &variable(node)?))));
    }
    let features = match &workflow["features"] {
        Value::Null => Value::Object(Map::new()),
        features @ Value::Object(_) => features.clone(),
        _ => return Err(DslError::at("workflow.features", "must be a mapping")),
    };
    if let Some(feature) = unsupported_feature(&features) {
        let reason = format_args!("{feature} is not supported here; {EVERY_RUN}");
        findings.unsupported.push(DslError::at("workflow.features.sensitive_word_avoidance", reason));
    }
    let environment_variables = variables(workflow, "environment_variables")?;
    for (at, variable) in environment_variables.iter().enumerate().filter(|(_, variable)| is_secret(variable)) {
        if variable["value"].as_str().is_none_or(str::is_empty) {
            let name = variable["name"].as_str().unwrap_or_default();
            let place = format!("workflow.environment_variables[{at}].value");
            findings.warnings.push(DslError::at(place, format_args!("the secret `{name}` is empty")));
        }
    }
    Ok(AppBody::Graph(GraphBody {
        graph: graph.clone(),
        features,
        environment_variables,
        conversation_variables: variables(workflow, "conversation_variables")?,
    }))
}

fn sends_file(node: &NodeOutline<'_>, variable: &str) -> DslError {
    let reason = format_args!(
        "the node \"{}\" sends the file `{variable}`; files are not supported here; {EVERY_RUN}",
        node.title
    );
    DslError::at(format!("{GRAPH}.nodes[{}]", node.at), reason)
}

struct NodeOutline<'a> {
    at: usize,
    id: &'a str,
    title: &'a str,
    kind: &'a str,
    data: &'a Value,
}

fn unsupported(node: &NodeOutline<'_>) -> DslError {
    let (with, of_kind) = (tools_of(node), provider_kind(node.kind, node.data));
    let reason = format_args!(
        "the node type `{}` of \"{}\"{with}{of_kind} is not supported here; {EVERY_RUN}",
        node.kind, node.title
    );
    DslError::at(format!("{GRAPH}.nodes[{}]", node.at), reason)
}

fn without_daemon(node: &NodeOutline<'_>) -> DslError {
    let with = tools_of(node);
    let reason = format_args!(
        "the node type `tool` of \"{}\"{with} needs a plugin daemon; {SET_DAEMON}; {EVERY_RUN}",
        node.title
    );
    DslError::at(format!("{GRAPH}.nodes[{}]", node.at), reason)
}

fn tools_of(node: &NodeOutline<'_>) -> String {
    let tools: Vec<String> = tools(node.data).map(|tool| format!("`{tool}`")).collect();
    if tools.is_empty() { String::new() } else { format!(" with {}", name_list(&tools)) }
}

/// The fault of a node whose data cannot be read.
fn unreadable(node: &NodeOutline<'_>) -> Option<DslError> {
    let error = data_error(node.kind, node.data)?;
    let dot = if error.place.is_empty() || error.place.starts_with('[') { "" } else { "." };
    let place = format!("{GRAPH}.nodes[{}].data{dot}{}", node.at, error.place);
    Some(DslError::at(place, format_args!("the node \"{}\" {}", node.title, error.reason)))
}

fn list<'a>(graph: &'a Value, name: &str, max_items: usize) -> Result<&'a Vec<Value>, DslError> {
    let place = || format!("{GRAPH}.{name}");
    let items = graph[name].as_array().ok_or_else(|| DslError::at(place(), "must be a list"))?;
    if items.len() > max_items {
        return Err(DslError::at(place(), format_args!("there are {}; at most {max_items} are allowed", items.len())));
    }
    Ok(items)
}

fn nodes(items: &[Value]) -> Result<Vec<NodeOutline<'_>>, DslError> {
    let mut nodes: Vec<NodeOutline<'_>> = Vec::with_capacity(items.len());
    let mut seen = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let place = |member: &str| format!("{GRAPH}.nodes[{at}]{member}");
        if is_note(item) {
            continue;
        }
        let data = &item["data"];
        if !data.is_object() {
            return Err(DslError::at(place(".data"), "must be a mapping"));
        }
        let Some(id) = item["id"].as_str().filter(|id| !id.is_empty()) else {
            return Err(DslError::at(place(".id"), "must be text; put numbers in quotation marks"));
        };
        let Some(kind) = data["type"].as_str().filter(|kind| !kind.is_empty()) else {
            return Err(DslError::at(place(".data.type"), "the node has no type"));
        };
        if let Some(first) = seen.insert(id, at) {
            return Err(DslError::at(place(".id"), format_args!("`{id}` is already the id of nodes[{first}]")));
        }
        nodes.push(NodeOutline { at, id, kind, title: data["title"].as_str().unwrap_or_default(), data });
    }
    Ok(nodes)
}

/// Notes that people pinned to the canvas are no nodes.
fn is_note(item: &Value) -> bool {
    let data = &item["data"];
    let kind = data["type"].as_str().unwrap_or_default();
    item["type"] == "custom-note" || kind == "note" || (kind.is_empty() && data.get("theme").is_some())
}

/// Where each edge leads, by the places of nodes in the list of those that count.
fn edges(items: &[Value], nodes: &[NodeOutline<'_>]) -> Result<Vec<(usize, usize)>, DslError> {
    let by_id: HashMap<&str, usize> = nodes.iter().enumerate().map(|(ix, node)| (node.id, ix)).collect();
    let end = |at: usize, item: &Value, member: &str| {
        let place = || format!("{GRAPH}.edges[{at}].{member}");
        let id = item[member].as_str().ok_or_else(|| DslError::at(place(), "must be the id of a node"))?;
        let found = by_id.get(id).copied();
        found.ok_or_else(|| DslError::at(place(), format_args!("there is no node `{id}`")))
    };
    let both = |(at, item)| Ok((end(at, item, "source")?, end(at, item, "target")?));
    items.iter().enumerate().map(both).collect()
}

/// Removes nodes without incoming edges until no more can be removed. The remaining nodes are on a cycle or behind one.
fn acyclic(nodes: &[NodeOutline<'_>], edges: &[(usize, usize)]) -> Result<(), DslError> {
    let mut waiting = vec![0_usize; nodes.len()];
    let mut leaving = vec![Vec::new(); nodes.len()];
    for &(source, target) in edges {
        waiting[target] += 1;
        leaving[source].push(target);
    }
    let mut free: Vec<usize> = (0..nodes.len()).filter(|&ix| waiting[ix] == 0).collect();
    while let Some(ix) = free.pop() {
        for &target in &leaving[ix] {
            waiting[target] -= 1;
            if waiting[target] == 0 {
                free.push(target);
            }
        }
    }
    // Not every node that waits is on a cycle: some only come after one. Going back from any of them leads onto it.
    let Some(mut ix) = (0..nodes.len()).find(|&ix| waiting[ix] > 0) else { return Ok(()) };
    for _ in 0..nodes.len() {
        let before = edges.iter().find(|(source, target)| *target == ix && waiting[*source] > 0);
        ix = before.map_or(ix, |(source, _)| *source);
    }
    let node = &nodes[ix];
    Err(DslError::at(format!("{GRAPH}.nodes[{}]", node.at), format_args!("\"{}\" is part of a cycle", node.title)))
}

fn variables(workflow: &Value, member: &str) -> Result<Vec<Value>, DslError> {
    let items = match &workflow[member] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(DslError::at(format!("workflow.{member}"), "must be a list")),
    };
    let mut names = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        let place = |rest: &str| format!("workflow.{member}[{at}]{rest}");
        let Some(name) = item["name"].as_str().filter(|name| !name.is_empty()) else {
            return Err(DslError::at(place(".name"), "the variable has no name"));
        };
        if item["value_type"].as_str().is_none_or(str::is_empty) {
            return Err(DslError::at(place(".value_type"), "the variable has no type"));
        }
        if let Some(first) = names.insert(name, at) {
            return Err(DslError::at(
                place(".name"),
                format_args!("`{name}` is already the name of {member}[{first}]"),
            ));
        }
    }
    Ok(items.clone())
}
