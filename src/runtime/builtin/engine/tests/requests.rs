//! `http-request` nodes within a run, against a server on this machine.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, http::StatusCode, routing::any};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::stage::{Played, Stage, map, node};
use crate::domain::conversation::RunStatus;

/// Fails so often, then answers. Returns where, and how often it was asked.
async fn failing(times: usize) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let answer = move || {
        let turn = counter.fetch_add(1, Ordering::Relaxed);
        let status = if turn < times { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        async move { (status, format!("answer {}", turn + 1)) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(answer))).await });
    (format!("http://{at}/a"), asked)
}

/// Asks there, then answers with what came; along the fail branch with why it did not.
async fn play(url: &str, more: Value) -> Played {
    let mut data = json!({"method": "get", "url": url, "headers": "", "params": ""});
    data.as_object_mut().unwrap().extend(map(more));
    let nodes = [
        node("start", "start", json!({})),
        node("h", "http-request", data),
        node("good", "answer", json!({"answer": "{{#h.status_code#}} {{#h.body#}}"})),
        node("bad", "answer", json!({"answer": "{{#h.error_type#}}: {{#h.error_message#}}"})),
    ];
    Stage::chat(nodes, "start>h h>good h:fail-branch>bad").play().await
}

fn retrying(times: u32) -> Value {
    json!({"retry_config": {"retry_enabled": true, "max_retries": times, "retry_interval": 1}})
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_an_answer_where_nothing_provides_for_failures() {
    let (url, asked) = failing(1).await;
    let played = play(&url, json!({})).await;
    assert_eq!(played.outcome.answer, "500 answer 1");
    assert_eq!((played.outcome.status, asked.load(Ordering::Relaxed)), (RunStatus::Succeeded, 1));
    assert!(
        played.data("node_finished", "h")["process_data"]["request"].as_str().unwrap().starts_with("GET /a HTTP/1.1")
    );
}

#[tokio::test]
async fn it_is_asked_again_where_the_node_is_tried_again() {
    let (url, asked) = failing(1).await;
    let played = play(&url, retrying(2)).await;
    assert_eq!(played.line(), r#"( +start -start +h ~h "200" " " "answer 2" -h +good -good message_end ) succeeded"#);
    let retry = played.data("node_retry", "h");
    assert_eq!(
        (&retry["error"], &retry["outputs"]["body"]),
        (&json!("Request failed with status code 500"), &json!("answer 1"))
    );
    assert_eq!(asked.load(Ordering::Relaxed), 2);

    let (url, asked) = failing(9).await;
    let played = play(&url, retrying(2)).await;
    assert_eq!(played.line(), "( +start -start +h ~h ~h -h:failed message_end ) failed");
    assert_eq!(played.outcome.error.as_deref(), Some("Request failed with status code 500"));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_fail_branch_goes_on_with_why() {
    let fails = json!({"error_strategy": "fail-branch"});
    let (url, _) = failing(1).await;
    let played = play(&url, fails.clone()).await;
    assert_eq!(played.outcome.answer, "HTTPResponseCodeError: Request failed with status code 500");
    assert_eq!((played.outcome.status, played.outcome.exceptions_count), (RunStatus::PartlySucceeded, 1));
    // The same server, which answers by now.
    let played = play(&url, fails.clone()).await;
    assert_eq!((played.outcome.answer.as_str(), played.outcome.status), ("200 answer 2", RunStatus::Succeeded));
    // Where requests may not go is a failure like any other.
    let played = play("http://10.0.0.1/", fails).await;
    assert!(played.outcome.answer.starts_with("HttpRequestNodeError: "), "{}", played.outcome.answer);
}

#[tokio::test]
async fn defaults_stand_in_for_an_answer_that_is_no_success() {
    let defaults = json!({"error_strategy": "default-value", "default_value": [
        {"key": "body", "type": "string", "value": "nothing"}, {"key": "status_code", "type": "number", "value": "0"},
    ]});
    let (url, _) = failing(1).await;
    let played = play(&url, defaults).await;
    assert_eq!(played.outcome.answer, "0 nothing");
    assert_eq!(played.outcome.status, RunStatus::PartlySucceeded);
    assert_eq!(played.data("node_finished", "h")["status"], "exception");
}
