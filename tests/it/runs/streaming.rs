//! The events of every mode, through both doors.

use serde_json::{Value, json};

use crate::support::{
    Bearer, TestServer,
    runs::{answer, end, graph_app, greeting, lines, over_grpc, prompt_app, streamed},
    server::OWNER,
};

/// The events over JSON, which are the events over gRPC.
async fn events(server: &TestServer, app: &str, body: Value) -> String {
    let bearer = Bearer::sign_in(server, OWNER, "laptop").await;
    let over_json = lines(&streamed(&bearer, app, body.clone()).await);
    let mut found: Vec<Value> = over_grpc(server, &bearer, app, &body).await.unwrap();
    // A Struct is unordered.
    let ordered: Vec<Value> = over_json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    found = lines(&found).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found, ordered, "the doors tell different stories");
    over_json
}

on_both_stores! {
    async fn a_chat(server: TestServer) {
        let app = prompt_app(&server, "chat").await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await, @"");
    }

    async fn an_agent(server: TestServer) {
        let app = prompt_app(&server, "agent-chat").await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "Reply exactly: one two"})).await, @"");
    }

    async fn a_completion(server: TestServer) {
        let app = prompt_app(&server, "completion").await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @"");
    }

    async fn a_workflow(server: TestServer) {
        let app = graph_app(&server, "workflow", &[greeting(), end()]).await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @"");
    }

    async fn an_advanced_chat(server: TestServer) {
        let app = graph_app(&server, "advanced-chat", &[greeting(), answer()]).await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}, "query": "hi"})).await, @"");
    }

    async fn a_workflow_whose_node_fails(server: TestServer) {
        let broken = json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "{{ 1 // 0 }}", "variables": []}});
        let app = graph_app(&server, "workflow", &[broken, end()]).await;
        insta::assert_snapshot!(events(&server, &app, json!({"inputs": {"name": "Ann"}})).await, @"");
    }
}
