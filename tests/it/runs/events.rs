//! The events of every mode over JSON and gRPC.

use serde_json::{Value, json};

use crate::support::{
    Bearer, Stores, TestServer,
    runs::{answer, end, graph_app, greeting, lines, over_grpc, prompt_app, streamed},
    server::OWNER,
};

/// The events over JSON, which must equal those over gRPC.
pub async fn events(server: &TestServer, app: &str, body: Value) -> String {
    let bearer = Bearer::sign_in(server, OWNER, "laptop").await;
    let over_json = lines(&streamed(&bearer, app, body.clone()).await);
    let mut found: Vec<Value> = over_grpc(server, &bearer, app, &body).await.unwrap();
    // The members of a Struct have no order.
    let ordered: Vec<Value> = over_json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    found = lines(&found).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found, ordered, "JSON and gRPC differ");
    over_json
}

on_every_database!(
    chat_events,
    agent_chat_events,
    completion_events,
    workflow_events,
    advanced_chat_events,
    events_of_a_workflow_with_a_failed_node
);

async fn chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "chat").await;
    assert_lines!(
        events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await,
        "chat_events"
    );
}

async fn agent_chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "agent-chat").await;
    assert_lines!(
        events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await,
        "agent_chat_events"
    );
}

async fn completion_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = prompt_app(&server, "completion").await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, "completion_events");
}

async fn workflow_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "workflow", &[greeting(), end()]).await;
    assert_lines!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, "workflow_events");
}

async fn advanced_chat_events(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = graph_app(&server, "advanced-chat", &[greeting(), answer()]).await;
    assert_lines!(
        events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await,
        "advanced_chat_events"
    );
}

async fn events_of_a_workflow_with_a_failed_node(stores: Stores) {
    let server = TestServer::start(stores).await;
    let broken = json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet",
        "template": "{{ 1 // 0 }}", "variables": []}});
    let app = graph_app(&server, "workflow", &[broken, end()]).await;
    assert_lines!(
        events(&server, &app, json!({"inputs": {"name": "Ann"}})).await,
        "events_of_a_workflow_with_a_failed_node"
    );
}
