//! The HTTP request node: private networks are blocked unless they are allowed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::get};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    Bearer, Stores, TestServer,
    runs::{blocking, graph_app, over_grpc, streamed},
    server::OWNER,
};

/// A server on loopback: its URL and the number of requests it received.
async fn local_server() -> (String, Arc<AtomicUsize>) {
    let request_count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&request_count);
    let answer = move || async move {
        counter.fetch_add(1, Ordering::Relaxed);
        "inside"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/secret", get(answer))).into_future());
    (url, request_count)
}

pub(crate) async fn http_request_app(server: &TestServer, url: &str) -> String {
    let request = json!({"id": "ask", "data": {"type": "http-request", "title": "Ask", "method": "get", "url": url,
        "authorization": {"type": "no-auth"}, "headers": "", "params": "", "body": {"type": "none", "data": []}}});
    let end = json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [{"variable": "said", "value_selector": ["ask", "body"]}]}});
    graph_app(server, "workflow", &[request, end]).await
}

fn node_data<'a>(events: &'a [Value], event: &str, node: &Value) -> &'a Value {
    &events.iter().find(|item| item["event"] == event && item["data"]["node_id"] == *node).unwrap()["data"]
}

#[tokio::test(flavor = "multi_thread")]
async fn http_request_node_cannot_reach_loopback_by_default() {
    let server = TestServer::start_with(Stores::Sqlite, &[]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (url, request_count) = local_server().await;
    let app = http_request_app(&server, &url).await;
    let body = json!({"inputs": {"name": "Ann"}});
    let over_json = streamed(&bearer, &app, body.clone()).await;
    for events in [over_json, over_grpc(&server, &bearer, &app, &body).await.unwrap()] {
        let (node, run) = (node_data(&events, "node_finished", &json!("ask")), &events.last().unwrap()["data"]);
        assert_eq!((&node["status"], &run["status"]), (&json!("failed"), &json!("failed")), "{node}");
        let why = node["error"].as_str().unwrap();
        assert!(why.contains("127.0.0.1") || why.contains("public"), "{why}");
        assert_eq!(run["error"], node["error"]);
    }
    let response = blocking(&bearer, &app, body).await;
    assert_eq!((response.status, &response.json()["data"]["status"]), (200, &json!("failed")), "{}", response.text);
    assert_eq!(request_count.load(Ordering::Relaxed), 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_request_node_reaches_an_allowed_network() {
    let server = TestServer::start_with(Stores::Sqlite, &[("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (url, request_count) = local_server().await;
    let app = http_request_app(&server, &url).await;
    let body = json!({"inputs": {"name": "Ann"}});
    let over_json = streamed(&bearer, &app, body.clone()).await;
    for events in [over_json, over_grpc(&server, &bearer, &app, &body).await.unwrap()] {
        assert_eq!(node_data(&events, "node_finished", &json!("ask"))["outputs"]["body"], "inside");
        assert_eq!(events.last().unwrap()["data"]["outputs"], json!({"said": "inside"}));
    }
    assert_eq!(request_count.load(Ordering::Relaxed), 2);
}
