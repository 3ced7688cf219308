use proptest::prelude::*;
use serde_json::{Value, json};

use super::{limits::MAX_NODES, parse::parse_graph, topology::Graph};
use crate::domain::{Code, Result, app::AppMode};

fn node(id: &str, kind: &str) -> Value {
    let data = match kind {
        "answer" => json!({"answer": "x"}),
        "llm" => json!({"model": {"provider": "p", "name": "m", "mode": "chat"}, "prompt_template": []}),
        "template-transform" => json!({"template": "x", "variables": []}),
        "iteration" => json!({"iterator_selector": ["s", "l"], "output_selector": ["i", "o"]}),
        "assigner" => json!({"items": []}),
        "http-request" => {
            let authorization = json!({"type": "no-auth"});
            json!({"method": "get", "url": "http://x", "authorization": authorization, "headers": "", "params": ""})
        }
        _ => json!({}),
    };
    let mut node = json!({"id": id, "type": "custom", "data": {"type": kind, "title": format!("T {id}")}});
    node["data"].as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    node
}

fn within(parent: &str, mut node: Value) -> Value {
    node["parentId"] = parent.into();
    node
}

fn graph(nodes: &[Value], edges: &str) -> Value {
    let edge = |edge: &str| {
        let (source, target) = edge.split_once('>').unwrap();
        json!({"source": source, "target": target})
    };
    json!({"nodes": nodes, "edges": edges.split_whitespace().map(edge).collect::<Vec<_>>()})
}

fn parse(graph: &Value) -> Result<Graph> {
    parse_graph(graph, AppMode::Workflow)
}

#[test]
fn every_supported_node_type_is_read() {
    let nodes = [
        node("s", "start"),
        node("l", "llm"),
        node("a", "answer"),
        node("e", "end"),
        node("t", "template-transform"),
        node("i", "if-else"),
        node("g", "variable-aggregator"),
        node("v", "variable-assigner"),
        node("w", "assigner"),
        node("h", "http-request"),
        node("it", "iteration"),
        within("it", node("is", "iteration-start")),
        json!({"id": "note", "type": "custom-note", "data": {"type": "", "text": "remember", "theme": "blue"}}),
    ];
    let parsed = parse(&graph(&nodes, "s>l l>a a>e s>t t>i i>g g>v v>w w>h h>it")).unwrap();
    assert_eq!(parsed.nodes().len(), 12, "the note is not a node");
    let kinds: Vec<_> = parsed.nodes().iter().map(|node| node.kind.as_str()).collect();
    assert_eq!(kinds[7], "variable-aggregator");
    assert_eq!(parsed.level(1).nodes, [parsed.find("is").unwrap()]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn invalid_graph_is_rejected_with_the_place_of_its_fault() {
    let start = || node("s", "start");
    let broken = |id: &str, kind: &str, member: &str, value: Value| {
        let mut node = node(id, kind);
        node["data"][member] = value;
        node
    };
    let without = |id: &str, kind: &str, member: &str| {
        let mut node = node(id, kind);
        node["data"].as_object_mut().unwrap().remove(member);
        node
    };
    let many: Vec<Value> = (0..=MAX_NODES).map(|at| node(&at.to_string(), "end")).collect();
    let tool = json!({"id": "t", "data": {"type": "tool", "title": "Search", "provider_type": "api", "tool_name": "web_search"}});
    let unreadable_tool = json!({"id": "t", "data": {"type": "tool", "title": "Search", "provider_type": "builtin"}});
    for (graph, expected) in [
        (json!(null), "nodes is not a list"),
        (json!({"nodes": []}), "edges is not a list"),
        (json!({"nodes": [1], "edges": []}), "nodes[0].data is not an object"),
        (json!({"nodes": [{"data": {"type": "end"}}], "edges": []}), "nodes[0].id is not text"),
        (json!({"nodes": [{"id": "x", "data": {"title": "T"}}], "edges": []}), "nodes[0] (\"T\", x) has no type"),
        (json!({"nodes": [start()], "edges": [{"source": "s"}]}), "edges[0]: lacks `target`; add it"),
        (json!({"nodes": many, "edges": []}), "it has 1001 nodes, but at most 1000 are allowed"),
        (graph(&[node("e", "end")], ""), "it has no start node"),
        (graph(&[start(), node("z", "start")], ""), "the node \"T z\" (z) is a second start node"),
        (graph(&[start(), start()], ""), "two nodes have the id s"),
        (graph(&[start(), node("c", "code")], ""), "the node \"T c\" (c) of type code is not supported here"),
        (
            // As Dify writes a loop: its contents belong to a node that is not supported here.
            graph(
                &[
                    start(),
                    node("lo", "loop"),
                    within("lo", node("ls", "loop-start")),
                    within("lo", node("t", "template-transform")),
                ],
                "s>lo ls>t",
            ),
            "the node \"T lo\" (lo) of type loop is not supported here",
        ),
        (
            graph(&[start(), without("l", "llm", "model"), node("c", "code")], ""),
            "the node \"T c\" (c) of type code is not supported here",
        ),
        (
            graph(&[start(), node("c", "code"), tool, node("e", "end")], ""),
            "the nodes \"T c\" (c) of type code and \"Search\" (t) of type tool with the tools `web_search` of a \
             provider of the type `api` are not supported here",
        ),
        (graph(&[start(), unreadable_tool], ""), "the node \"Search\" (t) of type tool: lacks `provider_id`; add it"),
        (graph(&[start()], "s>x"), "edges[0] refers to x, which is not a node"),
        (graph(&[start()], "s>s"), "there is a cycle at the node \"T s\" (s)"),
        (
            graph(&[start(), node("a", "end"), node("b", "end")], "s>a a>b b>a"),
            "there is a cycle at the node \"T a\" (a)",
        ),
        (
            graph(&[start(), without("l", "llm", "model")], ""),
            "the node \"T l\" (l) of type llm: lacks `model`; add it",
        ),
        (graph(&[start(), without("a", "answer", "answer")], ""), "(a) of type answer: lacks `answer`; add it"),
        (
            graph(&[start(), broken("a", "answer", "answer", json!(1))], ""),
            "(a) of type answer: answer is the number `1`; write text",
        ),
        (
            graph(&[start(), broken("a", "answer", "error_strategy", json!("pray"))], ""),
            "has the error_strategy `pray`, which is unknown",
        ),
        (
            graph(
                &[
                    start(),
                    broken(
                        "i",
                        "if-else",
                        "conditions",
                        json!([{"variable_selector": ["s", "x"], "comparison_operator": "~"}]),
                    ),
                ],
                "",
            ),
            "(i) of type if-else: conditions[0].comparison_operator is `~`, which is unknown",
        ),
        (
            graph(
                &[
                    start(),
                    broken("a", "answer", "default_value", json!([{"key": "k", "type": "number", "value": "x"}])),
                ],
                "",
            ),
            "",
        ),
        (graph(&[start(), node("it", "iteration")], "s>it"), "the iteration \"T it\" (it) has no start node"),
        (graph(&[start(), node("is", "iteration-start")], ""), "the node \"T is\" (is) is not inside an iteration"),
        (
            graph(&[start(), within("s", node("e", "end"))], ""),
            "the node \"T e\" (e) is inside s, which is not an iteration",
        ),
        (
            graph(
                &[
                    start(),
                    node("it", "iteration"),
                    within("it", node("is", "iteration-start")),
                    within("it", node("e", "end")),
                ],
                "",
            ),
            "the node \"T e\" (e) of type end cannot be inside an iteration",
        ),
        (
            graph(&[start(), node("it", "iteration"), within("it", node("is", "iteration-start"))], "s>is"),
            "edges[0] crosses the boundary of an iteration, from s to is",
        ),
        (
            graph(&[start(), within("b", node("a", "iteration")), within("a", node("b", "iteration"))], ""),
            "(a) is nested in more than 4 iterations",
        ),
    ] {
        match (parse(&graph), expected) {
            (Ok(_), "") => {}
            (Ok(_), expected) => panic!("accepted, expected: {expected}"),
            (Err(error), expected) => {
                assert_eq!(error.code(), Code::AppUnavailable);
                assert!(!expected.is_empty() && error.message().contains(expected), "{} / {expected}", error.message());
            }
        }
    }
    assert!(parse_graph(&graph(&[start()], ""), AppMode::Chat).is_err());
}

#[test]
fn default_that_is_not_json_is_rejected_when_the_strategy_uses_it() {
    let mut answer = node("a", "answer");
    answer["data"]["error_strategy"] = "default-value".into();
    answer["data"]["default_value"] = json!([{"key": "k", "type": "number", "value": "x"}]);
    let error = parse(&graph(&[node("s", "start"), answer], "")).unwrap_err();
    assert!(error.message().contains("has a default of `k` that is no number; correct it"), "{}", error.message());
}

#[test]
fn edge_from_unreachable_node_is_not_waited_for() {
    let parsed = parse(&graph(&[node("s", "start"), node("lost", "end"), node("e", "end")], "s>e lost>e")).unwrap();
    assert_eq!(parsed.node(parsed.find("e").unwrap()).incoming.len(), 1);
    assert_eq!(parsed.level(Graph::ROOT).nodes.len(), 2);
}

#[test]
fn retries_and_their_interval_are_limited() {
    let mut end = node("e", "end");
    end["data"]["retry_config"] = json!({"retry_enabled": true, "max_retries": 1_000_000, "retry_interval": 1e12});
    let parsed = parse(&graph(&[node("s", "start"), end], "s>e")).unwrap();
    let retry = parsed.node(parsed.find("e").unwrap()).retry.unwrap();
    assert_eq!((retry.times, retry.interval.as_secs()), (10, 60));
}

const KINDS: &[&str] = &[
    "start",
    "llm",
    "answer",
    "end",
    "template-transform",
    "if-else",
    "variable-aggregator",
    "assigner",
    "http-request",
    "iteration",
    "iteration-start",
    "code",
];

/// Members of node data that the graph or a node type reads.
const MEMBERS: &[&str] = &[
    "model",
    "answer",
    "outputs",
    "cases",
    "conditions",
    "variables",
    "template",
    "items",
    "retry_config",
    "default_value",
    "body",
    "url",
    "prompt_template",
    "memory",
    "title",
    "type",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        "[a-z{}#.]{0,6}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,8}", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_node_data_never_panics(
        kind in prop::sample::select(KINDS),
        member in prop::sample::select(MEMBERS),
        value in any_json(),
    ) {
        let mut odd = node("o", kind);
        odd["data"][member] = value;
        let _ = parse(&graph(&[node("s", "start"), odd], "s>o"));
    }

    #[test]
    fn accepted_edges_have_no_cycle(edges in prop::collection::vec((0..6usize, 0..6usize), 0..12)) {
        let nodes: Vec<Value> = (0..6).map(|at| node(&at.to_string(), if at == 0 { "start" } else { "end" })).collect();
        let text: Vec<String> = edges.iter().map(|(from, to)| format!("{from}>{to}")).collect();
        if let Ok(parsed) = parse(&graph(&nodes, &text.join(" "))) {
            // A graph without cycles has an order in which every node comes after its predecessors.
            let mut rank = [0; 6];
            for _ in 0..6 {
                for edge in parsed.level(Graph::ROOT).nodes.iter().flat_map(|&ix| &parsed.node(ix).outgoing) {
                    let edge = parsed.edge(*edge);
                    rank[edge.target] = rank[edge.target].max(rank[edge.source] + 1);
                }
            }
            prop_assert!(rank.iter().all(|&rank| rank < 6));
        }
    }
}
