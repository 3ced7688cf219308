//! The ownership of conversations, and the limits of concurrent runs and of their duration.

use serde_json::{Value, json};

use crate::support::{
    Bearer, Stores, TestServer, apps, database,
    grpc::reason,
    runs::{answer, blocking, graph_app, greeting, over_grpc, prompt_app, request, streamed},
    server::{MEMBER, OWNER},
};

fn body(query: &str, conversation: &Value) -> Value {
    json!({"inputs": {"name": "Ann"}, "query": query, "conversation_id": conversation})
}

async fn count(server: &TestServer, rows: &str) -> String {
    database::text(server, &format!("SELECT CAST(count(*) AS text) FROM {rows}")).await.unwrap()
}

/// A long and slow run.
fn long_run() -> Value {
    body(&format!("Reply exactly: {}", "word ".repeat(2_000)), &Value::Null)
}

/// Starts a run and reads its first event; dropping the response disconnects.
async fn start_run(bearer: &Bearer, app: &str) -> reqwest::Response {
    let mut body = long_run();
    body["response_mode"] = json!("streaming");
    let mut response = request(bearer, app, &body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

/// Waits until a run is accepted, and drops it.
async fn wait_for_free_run(bearer: &Bearer, app: &str) {
    for _ in 0..200 {
        let mut body = body("hi", &Value::Null);
        body["response_mode"] = json!("streaming");
        let response = request(bearer, app, &body).send().await.unwrap();
        if response.status() == 200 {
            return;
        }
        assert_eq!(response.status(), 429);
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no run was accepted");
}

async fn assert_rate_limited(bearer: &Bearer, app: &str) {
    for mode in ["blocking", "streaming"] {
        let mut body = body("hi", &Value::Null);
        body["response_mode"] = json!(mode);
        let refusal = crate::support::Answer::to(request(bearer, app, &body)).await;
        assert_eq!((refusal.status, refusal.code().as_str()), (429, "rate_limited"));
        assert_eq!(refusal.header("retry-after"), "1");
    }
}

on_every_database!(
    conversation_continues_for_its_caller_on_every_device,
    concurrent_runs_of_an_app_are_limited,
    concurrent_runs_of_the_process_are_limited,
    run_over_its_time_limit_is_stored_as_failed
);

async fn conversation_continues_for_its_caller_on_every_device(stores: Stores) {
    let server = TestServer::start(stores).await;
    let owner = Bearer::sign_in(&server, OWNER, "laptop").await;
    let again = Bearer::sign_in(&server, OWNER, "phone").await;
    let member = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let graph = graph_app(&server, "advanced-chat", &[greeting(), answer()]).await;
    for app in [prompt_app(&server, "chat").await, prompt_app(&server, "agent-chat").await, graph] {
        let first = blocking(&owner, &app, body("hi", &Value::Null)).await;
        assert_eq!(first.status, 200, "{}", first.text);
        let conversation = first.json()["conversation_id"].clone();
        // The same account on another device, streaming.
        let second = streamed(&again, &app, body("hi", &conversation)).await;
        assert_eq!(second.last().unwrap()["conversation_id"], conversation);
        let foreign = blocking(&member, &app, body("hi", &conversation)).await;
        assert_eq!((foreign.status, foreign.code().as_str()), (404, "not_found"));
        let other_app = prompt_app(&server, "chat").await;
        let elsewhere = blocking(&owner, &other_app, body("hi", &conversation)).await;
        assert_eq!((elsewhere.status, elsewhere.code().as_str()), (404, "not_found"));
        database::execute(&server, "UPDATE conversations SET is_deleted = TRUE").await;
        let deleted = blocking(&owner, &app, body("hi", &conversation)).await;
        assert_eq!((deleted.status, deleted.code().as_str()), (404, "not_found"));
    }
    assert_eq!((count(&server, "messages").await, count(&server, "conversations").await), ("6".into(), "3".into()));
    assert_eq!(count(&server, "messages WHERE invoke_from = 'service-api' AND from_source = 'api'").await, "6");
    assert_eq!(count(&server, "end_users WHERE type = 'service_api'").await, "3");
}

async fn concurrent_runs_of_an_app_are_limited(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20"), ("APP_MAX_ACTIVE_REQUESTS", "2")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (app, other) = (prompt_app(&server, "chat").await, prompt_app(&server, "chat").await);
    apps::set(&server, &app, "max_active_requests = 1").await;
    let running = start_run(&bearer, &app).await;
    assert_rate_limited(&bearer, &app).await;
    // Each app has its own limit; the limit of the deployment applies to all apps.
    let (_one, _two) = (start_run(&bearer, &other).await, start_run(&bearer, &other).await);
    assert_rate_limited(&bearer, &other).await;
    drop(running);
    wait_for_free_run(&bearer, &app).await;
}

async fn concurrent_runs_of_the_process_are_limited(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20"), ("MAX_RUNS_PER_PROCESS", "1")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = prompt_app(&server, "chat").await;
    let running = start_run(&bearer, &app).await;
    assert_rate_limited(&bearer, &app).await;
    drop(running);
    wait_for_free_run(&bearer, &app).await;
}

async fn run_over_its_time_limit_is_stored_as_failed(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20"), ("APP_MAX_EXECUTION_TIME", "1")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let app = prompt_app(&server, "chat").await;
    let events = streamed(&bearer, &app, long_run()).await;
    let last = events.last().unwrap();
    assert_eq!((&events[0]["event"], &last["event"]), (&json!("message"), &json!("error")));
    assert_eq!((&last["code"], &last["status"]), (&json!("upstream_timeout"), &json!(504)), "{last}");
    assert_eq!(count(&server, "messages WHERE status = 'error' AND answer LIKE 'word word%'").await, "1");
    // Over gRPC and blocking the error is the same.
    let refusal = blocking(&bearer, &app, long_run()).await;
    assert_eq!((refusal.status, refusal.code().as_str()), (504, "upstream_timeout"));
    let status = over_grpc(&server, &bearer, &app, &long_run()).await.unwrap_err();
    assert_eq!(reason(&status), "upstream_timeout");
}
