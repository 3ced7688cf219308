//! `http-request` nodes in a run, with a local server.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::any};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::run_setup::{FinishedRun, RunSetup, map, node};
use crate::domain::conversation::RunStatus;

/// Starts a server that responds with status 500 `times` times and then with 200. Returns its URL and its number of
/// requests.
async fn failing_server(times: usize) -> (String, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    let answer = move || {
        let turn = counter.fetch_add(1, Ordering::Relaxed);
        let status = if turn < times { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        async move { (status, format!("answer {}", turn + 1)) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    (format!("http://{at}/a"), requests)
}

/// Runs a graph that sends a request and answers with the response, or on the fail branch with the error.
async fn run_request(url: &str, more: Value) -> FinishedRun {
    let mut data = json!({"method": "get", "url": url, "headers": "", "params": ""});
    data.as_object_mut().unwrap().extend(map(more));
    let nodes = [
        node("start", "start", json!({})),
        node("h", "http-request", data),
        node("good", "answer", json!({"answer": "{{#h.status_code#}} {{#h.body#}}"})),
        node("bad", "answer", json!({"answer": "{{#h.error_type#}}: {{#h.error_message#}}"})),
    ];
    RunSetup::chat(nodes, "start>h h>good h:fail-branch>bad").execute().await
}

fn retrying(times: u32) -> Value {
    // The editor writes numbers that are typed in as texts.
    json!({"retry_config": {"retry_enabled": "true", "max_retries": times.to_string(), "retry_interval": "1"}})
}

#[tokio::test]
async fn error_status_is_a_normal_response_without_error_handling() {
    let (url, requests) = failing_server(1).await;
    let run = run_request(&url, json!({})).await;
    assert_eq!(run.outcome.answer, "500 answer 1");
    assert_eq!((run.outcome.status, requests.load(Ordering::Relaxed)), (RunStatus::Succeeded, 1));
    assert!(
        run.event_data("node_finished", "h")["process_data"]["request"]
            .as_str()
            .unwrap()
            .starts_with("GET /a HTTP/1.1")
    );
}

#[tokio::test]
async fn error_status_is_retried_when_the_node_has_retries() {
    let (url, requests) = failing_server(1).await;
    let run = run_request(&url, retrying(2)).await;
    assert_eq!(
        run.summary(),
        r#"( +start -start +h ~h "200" " " "answer 2" -h +good -good message_end ) partial-succeeded"#
    );
    let retry = run.event_data("node_retry", "h");
    assert_eq!(
        (&retry["error"], &retry["outputs"]["body"]),
        (&json!("Request failed with status code 500"), &json!("answer 1"))
    );
    assert_eq!(requests.load(Ordering::Relaxed), 2);

    let (url, requests) = failing_server(9).await;
    let run = run_request(&url, retrying(2)).await;
    assert_eq!(run.summary(), "( +start -start +h ~h ~h -h:failed message_end ) failed");
    assert_eq!(run.outcome.error.as_deref(), Some("Request failed with status code 500"));
    assert_eq!(requests.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn fail_branch_receives_the_error() {
    let fails = json!({"error_strategy": "fail-branch"});
    let (url, _) = failing_server(1).await;
    let run = run_request(&url, fails.clone()).await;
    assert_eq!(run.outcome.answer, "HTTPResponseCodeError: Request failed with status code 500");
    assert_eq!((run.outcome.status, run.outcome.exceptions_count), (RunStatus::PartlySucceeded, 1));
    // The second request to the same server succeeds.
    let run = run_request(&url, fails.clone()).await;
    assert_eq!((run.outcome.answer.as_str(), run.outcome.status), ("200 answer 2", RunStatus::Succeeded));
    // A forbidden address is an error of the node, too.
    let run = run_request("http://10.0.0.1/", fails).await;
    assert!(run.outcome.answer.starts_with("HttpRequestNodeError: "), "{}", run.outcome.answer);
}

#[tokio::test]
async fn default_outputs_replace_an_error_status() {
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "body", "type": "string", "value": "nothing"}, {"key": "status_code", "type": "number", "value": "0"},
    ]});
    let (url, _) = failing_server(1).await;
    let run = run_request(&url, defaults).await;
    assert_eq!(run.outcome.answer, "0.0 nothing");
    assert_eq!(run.outcome.status, RunStatus::PartlySucceeded);
    assert_eq!(run.event_data("node_finished", "h")["status"], "exception");
}
