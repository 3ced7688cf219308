//! Apps and runs that wait for a person.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, Bearer, TestServer, apps, runs::streamed};

/// A graph that asks whether to send a greeting, with `last` as the type of its last nodes. The action `reject` has no
/// edge.
fn asking_graph(last: &str) -> Value {
    let human = json!({"id": "ask", "data": {"type": "human-input", "title": "Ask",
        "form_content": "Send {{#greet.output#}}? {{#$output.note#}}",
        "inputs": [
            {"type": "paragraph", "output_variable_name": "note",
                "default": {"type": "variable", "selector": ["start", "name"], "value": ""}},
            {"type": "select", "output_variable_name": "tone",
                "option_source": {"type": "constant", "value": ["warm", "cold"]}},
        ],
        "user_actions": [{"id": "send", "title": "Send", "button_style": "primary"},
            {"id": "reject", "title": "Reject", "button_style": "default"}],
        "timeout": 2, "timeout_unit": "hour", "delivery_methods": [{"type": "webapp", "enabled": true}]}});
    let output = |name: &str, node: &str, variable: &str| json!({"variable": name, "value_selector": [node, variable]});
    let (sent, late) = (
        [
            output("text", "greet", "output"),
            output("note", "ask", "note"),
            output("action", "ask", "__action_id"),
            output("content", "ask", "__rendered_content"),
        ],
        [output("action", "ask", "__action_id")],
    );
    let ending = |id: &str, outputs: &[Value], answer: &str| json!({"id": id, "data": {"type": last, "title": id, "outputs": outputs, "answer": answer}});
    let nodes = json!([
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": [
            {"variable": "name", "label": "Name", "type": "text-input", "required": true, "max_length": 8}]}},
        {"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "Hello {{ who }}",
            "variables": [{"variable": "who", "value_selector": ["start", "name"]}]}},
        human,
        ending("sent", &sent, "{{#greet.output#}}: {{#ask.note#}}"),
        ending("late", &late, "too late"),
    ]);
    let edge = |id: &str, source: &str, handle: &str, target: &str| json!({"id": id, "source": source, "sourceHandle": handle, "target": target, "targetHandle": "target"});
    let edges = json!([
        edge("1", "start", "source", "greet"),
        edge("2", "greet", "source", "ask"),
        edge("3", "ask", "send", "sent"),
        edge("4", "ask", "__timeout", "late")
    ]);
    json!({"nodes": nodes, "edges": edges})
}

/// An app that asks whether to send a greeting.
pub async fn asking_app(server: &TestServer, mode: &str) -> String {
    let workspace = apps::shared_workspace(server).await;
    asking_app_in(server, &workspace, mode).await
}

pub async fn asking_app_in(server: &TestServer, workspace: &str, mode: &str) -> String {
    let app = apps::insert(server, workspace, "Asker", mode, 60).await;
    let last = if mode == "workflow" { "end" } else { "answer" };
    apps::publish(server, &app, &asking_graph(last), &json!({})).await;
    app
}

/// A run that waits.
pub struct Waiting {
    pub run: String,
    pub task: String,
    pub token: String,
    pub events: Vec<Value>,
}

fn text(event: &Value, name: &str) -> String {
    event[name].as_str().unwrap_or_else(|| panic!("no {name} in {event}")).to_owned()
}

/// Runs the app of [`asking_app`] until it waits.
pub async fn paused(bearer: &Bearer, app: &str) -> Waiting {
    paused_with(bearer, app, json!({"inputs": {"name": "Ann"}})).await
}

pub async fn paused_with(bearer: &Bearer, app: &str, body: Value) -> Waiting {
    let events = streamed(bearer, app, body).await;
    let required = events.iter().rev().nth(1).unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!(required["event"], "human_input_required", "{events:?}");
    Waiting {
        run: text(required, "workflow_run_id"),
        task: text(required, "task_id"),
        token: text(&required["data"], "form_token"),
        events,
    }
}

pub fn form_path(app: &str, token: &str) -> String {
    format!("/openapi/v1/apps/{app}/form/human_input/{token}")
}

pub async fn get_form(bearer: &Bearer, app: &str, token: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &form_path(app, token))).await
}

/// Submits a form with valid inputs.
pub async fn submit(bearer: &Bearer, app: &str, token: &str, action: &str) -> Answer {
    let inputs = json!({"note": "today", "tone": "warm", "unknown": 1});
    submit_with(bearer, app, token, &json!({"action": action, "inputs": inputs})).await
}

pub async fn submit_with(bearer: &Bearer, app: &str, token: &str, body: &Value) -> Answer {
    Answer::to(bearer.request(Method::POST, &form_path(app, token)).json(body)).await
}
