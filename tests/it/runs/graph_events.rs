//! The events of graphs that fail, retry, branch, iterate and call models, over JSON and gRPC.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::events::events;
use crate::support::{
    Stores, TestServer, apps, database,
    runs::{answer, graph_app, greeting},
};

/// An app with a published graph: a start node without variables, these nodes, and edges like `from>to` or
/// `from:handle>to`, separated by spaces.
async fn app(server: &TestServer, mode: &str, nodes: &[Value], edges: &str) -> String {
    let start = json!({"id": "start", "data": {"type": "start", "title": "Start", "variables": []}});
    let nodes: Vec<&Value> = std::iter::once(&start).chain(nodes).collect();
    let edges = edges.split_whitespace().map(|edge| {
        let (source, target) = edge.split_once('>').unwrap();
        let (source, handle) = source.split_once(':').unwrap_or((source, "source"));
        json!({"source": source, "target": target, "sourceHandle": handle, "targetHandle": "target"})
    });
    let graph = json!({"nodes": nodes, "edges": edges.collect::<Vec<_>>()});
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    apps::publish(server, &app, &graph, &json!({})).await;
    app
}

fn broken() -> Value {
    json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet",
        "template": "{{ 1 // 0 }}", "variables": []}})
}

fn llm(provider: &str, more: &[(&str, Value)]) -> Value {
    let mut node = json!({"id": "llm", "data": {"type": "llm", "title": "Ask",
        "model": {"provider": provider, "name": "small", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "Reply exactly: one two"}], "context": {"enabled": false}}});
    for (name, value) in more {
        node["data"][name] = value.clone();
    }
    node
}

fn end(selector: [&str; 2]) -> Value {
    json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [{"variable": "text", "value_selector": selector}]}})
}

fn nothing() -> Value {
    json!({"inputs": {}})
}

fn hello() -> Value {
    json!({"inputs": {}, "query": "hi"})
}

/// A model endpoint that breaks off every other response and never reports usage.
async fn flaky_endpoint() -> String {
    let request_count = AtomicUsize::new(0);
    let answer = move || {
        let breaks = request_count.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let half = json!({"choices": [{"delta": {"content": "half an answer"}}]});
        let whole = json!({"choices": [{"delta": {"content": "a whole answer"}}]});
        let overload = json!({"error": {"message": "overloaded"}});
        let long = json!({"choices": [{"delta": {}, "finish_reason": "length"}]});
        let text = if breaks {
            format!("data: {half}\n\ndata: {overload}\n\n")
        } else {
            format!("data: {whole}\n\ndata: {long}\n\ndata: [DONE]\n\n")
        };
        std::future::ready(([("content-type", "text/event-stream")], text).into_response())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    let router = Router::new().route("/v1/chat/completions", post(move || answer()));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

fn retrying() -> Value {
    json!({"retry_enabled": true, "max_retries": 2, "retry_interval": 1})
}

on_both_stores!(
    advanced_chat_with_a_failed_node,
    workflow_with_a_model_call,
    advanced_chat_with_a_model_call,
    fail_branch_returns_partial_success,
    workflow_with_an_iteration
);

async fn advanced_chat_with_a_failed_node(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "advanced-chat", &[broken(), answer()]).await;
    assert_lines!(
        events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await,
        "advanced_chat_with_a_failed_node"
    );
}

async fn workflow_with_a_model_call(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = app(&server, "workflow", &[llm("echo", &[]), end(["llm", "text"])], "start>llm llm>end").await;
    assert_lines!(events(&server, &app, nothing()).await, "workflow_with_a_model_call");
}

async fn advanced_chat_with_a_model_call(stores: Stores) {
    let server = TestServer::start(stores).await;
    let answer = json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "<{{#llm.text#}}>"}});
    let app = app(&server, "advanced-chat", &[llm("echo", &[]), answer], "start>llm llm>answer").await;
    assert_lines!(events(&server, &app, hello()).await, "advanced_chat_with_a_model_call");
}

async fn fail_branch_returns_partial_success(stores: Stores) {
    let server = TestServer::start(stores).await;
    let mut fails = broken();
    fails["data"]["error_strategy"] = json!("fail-branch");
    let sorry = json!({"id": "sorry", "data": {"type": "end", "title": "Sorry",
        "outputs": [{"variable": "why", "value_selector": ["greet", "error_message"]}]}});
    let nodes = [fails, end(["greet", "output"]), sorry];
    let app = app(&server, "workflow", &nodes, "start>greet greet>end greet:fail-branch>sorry").await;
    assert_lines!(events(&server, &app, nothing()).await, "fail_branch_returns_partial_success");
}

async fn workflow_with_an_iteration(stores: Stores) {
    let server = TestServer::start(stores).await;
    let each = json!({"id": "each", "data": {"type": "iteration", "title": "Each", "start_node_id": "first",
        "iterator_selector": ["conversation", "list"], "output_selector": ["greet", "output"]}});
    let first = json!({"id": "first", "parentId": "each", "type": "custom-iteration-start",
        "data": {"type": "iteration-start", "title": "", "isInIteration": true}});
    let mut inner = greeting();
    inner["parentId"] = json!("each");
    inner["data"]["variables"] = json!([{"variable": "who", "value_selector": ["each", "item"]}]);
    let nodes = [each, first, inner, end(["each", "output"])];
    let app = app(&server, "workflow", &nodes, "start>each each>end first>greet").await;
    let list = json!([{"name": "list", "value_type": "array[string]", "value": ["Ann", "Bob"]}]);
    database::execute(
        &server,
        &format!("UPDATE workflows SET conversation_variables = '{list}' WHERE app_id = '{app}'"),
    )
    .await;
    assert_lines!(events(&server, &app, nothing()).await, "workflow_with_an_iteration");
}

/// The events of a run whose model call failed once and was retried.
async fn retried_model_call(mode: &str) -> String {
    let url = flaky_endpoint().await;
    let server = TestServer::start_with(Stores::Sqlite, &[("OPENAI_BASE_URL", &url)]).await;
    let model = llm("openai", &[("retry_config", retrying())]);
    if mode == "workflow" {
        let app = app(&server, mode, &[model, end(["llm", "text"])], "start>llm llm>end").await;
        return events(&server, &app, nothing()).await;
    }
    let answer = json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "<{{#llm.text#}}>"}});
    let app = app(&server, mode, &[model, answer], "start>llm llm>answer").await;
    events(&server, &app, hello()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn workflow_with_a_retried_model_call() {
    assert_lines!(retried_model_call("workflow").await, "workflow_with_a_retried_model_call");
}

#[tokio::test(flavor = "multi_thread")]
async fn advanced_chat_with_a_retried_model_call() {
    assert_lines!(retried_model_call("advanced-chat").await, "advanced_chat_with_a_retried_model_call");
}
