//! The apps of the load, as Dify DSL files: one of the users and those of the attacker.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::upstreams::Upstreams;

/// The app of the users: a template with one input.
pub const GREETING: &str = "Greeting";
/// Streams the words of the query, slowly.
pub const ECHO: &str = "Echo";
/// Takes any inputs.
pub const INPUTS: &str = "Inputs";
/// Asks an HTTP server that never answers.
pub const TARPIT: &str = "Tarpit";
/// Asks an HTTP server whose answer is large.
pub const LARGE: &str = "Large";
/// Loops over string filters.
pub const FILTERS: &str = "Filters";

/// Templates that would need more memory than there is. Some hide from readers of the source behind `}}`.
pub const BOMBS: [(&str, &str); 6] = [
    ("Tuple", "{{ ((1,)*30000000)|length }}"),
    ("Braces", "{{ {'}}': 1} and ((1,)*30000000)|length }}"),
    ("Quotes", "{{ '}}' and ('x'*300000000)|length }}"),
    ("Join", "{{ (range(99999)|map('string')|join('x'*9999))|length }}"),
    ("Macro", "{% macro m(a) %}{{ m(a ~ a) }}{% endmacro %}{{ m('xxxxxxxxxxxxxxxx') }}"),
    ("Center", "{% for a in range(9999) %}{{ ('}}'|center(900000))|replace('}', '}}}}}}}}') }}{% endfor %}"),
];

const LOOP: &str =
    "{% for a in range(150) %}{{ ('abc ' * 9999)|upper|title|replace('A', 'bb')|wordcount }}{% endfor %}";

pub fn greeting() -> String {
    graph(GREETING, template("Hello {{ name }}"))
}

/// The apps of the attacker.
pub fn hostile(upstreams: Upstreams) -> Vec<String> {
    let mut apps = vec![
        echo(),
        graph(INPUTS, template("done")),
        graph(TARPIT, request(upstreams.silent)),
        graph(LARGE, request(upstreams.large)),
        graph(FILTERS, template(LOOP)),
    ];
    apps.extend(BOMBS.map(|(name, source)| graph(name, template(source))));
    apps
}

fn request(upstream: SocketAddr) -> Value {
    json!({"type": "http-request", "title": "Ask", "method": "get", "url": format!("http://{upstream}/"),
        "authorization": {"type": "no-auth"}, "headers": "", "params": "", "body": {"type": "none", "data": []},
        "timeout": {"connect": 10, "read": 60, "write": 10}})
}

fn template(source: &str) -> Value {
    json!({"type": "template-transform", "title": "Render", "template": source,
        "variables": [{"variable": "name", "value_selector": ["start", "name"]}]})
}

/// A workflow of a start node, this node and an end node.
fn graph(name: &str, node: Value) -> String {
    let start = json!({"type": "start", "title": "Start", "variables": [
        {"variable": "name", "label": "Name", "type": "text-input", "required": false, "max_length": 60}]});
    let end = json!({"type": "end", "title": "End",
        "outputs": [{"variable": "text", "value_selector": ["work", "output"], "value_type": "string"}]});
    let nodes = [("start", start), ("work", node), ("end", end)]
        .map(|(id, data)| json!({"id": id, "type": "custom", "position": {"x": 0, "y": 0}, "data": data}));
    let edges = [("start", "work"), ("work", "end")].map(|(source, target)| {
        json!({"id": source, "source": source, "target": target, "sourceHandle": "source", "targetHandle": "target",
            "type": "custom"})
    });
    let workflow = json!({"conversation_variables": [], "environment_variables": [], "features": {},
        "graph": {"nodes": nodes, "edges": edges, "viewport": {"x": 0, "y": 0, "zoom": 1}}});
    file(name, "workflow", "workflow", &workflow)
}

fn echo() -> String {
    let config = json!({"model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_type": "simple", "pre_prompt": "", "user_input_form": []});
    file(ECHO, "chat", "model_config", &config)
}

/// JSON is YAML.
fn file(name: &str, mode: &str, section: &str, content: &Value) -> String {
    let app = json!({"name": name, "mode": mode, "icon": "x", "icon_type": "emoji", "icon_background": "#FFFFFF",
        "description": ""});
    json!({"version": "0.6.0", "kind": "app", "app": app, section: content}).to_string()
}
