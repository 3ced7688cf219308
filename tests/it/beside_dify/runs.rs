//! Runs of Dify's apps that are forwarded to Dify's service API, over JSON and gRPC.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tonic_types::StatusExt as _;

use crate::support::{
    Answer, Bearer, Dify,
    collector::{Collector, exporting_to, traceparent},
    database,
    dify::{ALICE, ALICE_ID},
    fake_dify::{FakeDify, TASK_ID, UnacceptingListener, error_response, events, frame, open_events},
    grpc::reason,
    logs::Logs,
    runs::{blocking, open_stream, over_grpc, read_first_event, request, send_over_socket},
    server_process::ServerProcess,
};

/// "Plain Chat" in "Acme Inc.", without a form.
const CHAT: &str = "4184c571-f427-520d-bb7c-d353feed73b9";
/// "LLM Workflow" in "Acme Inc.", without inputs.
const WORKFLOW: &str = "491bd89e-5939-57ba-a933-0e5ee23f43a4";
/// The end user that Dify stores for Alice. Later versions must not change it, because her conversations refer to it.
const ALICE_AT_DIFY: &str = "openapi-829bcc736e9a3c4b9e012faa0f1f80ce";

/// A server that forwards runs to this address.
async fn start_forwarding_to(url: &str) -> Option<Dify> {
    let variables = [("DIFY_API_URL", url), ("DIFY_API_CONNECT_TIMEOUT", "1"), ("OPENAPI_RATE_LIMITS", "token=0")];
    Dify::start_with(&variables).await
}

/// The request body for an app.
fn request_body(app: &str, mode: &str) -> Value {
    if app == CHAT {
        json!({"inputs": {}, "query": "Hello", "response_mode": mode})
    } else {
        json!({"inputs": {}, "response_mode": mode})
    }
}

/// The events that Dify sends for a run at a path.
fn upstream_events(path: &str) -> Vec<Value> {
    if path.contains("chat-messages") {
        let common = json!({"task_id": TASK_ID, "message_id": "m", "conversation_id": "c", "created_at": 7});
        let with = |members: Value| {
            let mut event = common.clone();
            event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            event
        };
        vec![
            with(json!({"event": "message", "answer": "Good "})),
            with(json!({"event": "message", "answer": "day"})),
            with(json!({"event": "message_end", "metadata": {"usage": {"total_tokens": 9}}})),
        ]
    } else {
        let common = json!({"id": "r", "workflow_id": "w", "created_at": 7});
        let finished = json!({"id": "r", "workflow_id": "w", "status": "succeeded", "outputs": {"text": "Good day"},
            "error": null, "elapsed_time": 0.5, "total_tokens": 9, "total_steps": 3,
            "created_at": 7, "finished_at": 8});
        vec![
            json!({"event": "workflow_started", "task_id": TASK_ID, "workflow_run_id": "r", "data": common}),
            json!({"event": "workflow_finished", "task_id": TASK_ID, "workflow_run_id": "r", "data": finished}),
        ]
    }
}

/// The body of a blocking run, collected from those events.
fn final_body(app: &str) -> Value {
    if app == CHAT {
        json!({"event": "message", "task_id": TASK_ID, "id": "m", "message_id": "m", "conversation_id": "c",
            "mode": "chat", "answer": "Good day", "metadata": {"usage": {"total_tokens": 9}, "retriever_resources": []},
            "created_at": 7})
    } else {
        let finished = upstream_events("workflows").pop().unwrap()["data"].take();
        json!({"workflow_run_id": "r", "task_id": TASK_ID, "mode": "workflow", "data": finished})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_and_workflow_are_forwarded_over_json_and_grpc() {
    let upstream =
        FakeDify::start(
            |call| async move { events(upstream_events(&call.path).iter().map(frame).collect::<Vec<_>>()) },
        );
    let upstream = upstream.await;
    let Some(dify) = start_forwarding_to(&upstream.url).await else { return };
    let (laptop, phone) =
        (dify.issue_token(ALICE_ID, ALICE, "laptop").await, dify.issue_token(ALICE_ID, ALICE, "phone").await);
    for (app, path) in [(CHAT, "/v1/chat-messages"), (WORKFLOW, "/v1/workflows/run")] {
        let before = upstream.runs().len();
        let streamed = Answer::to(request(&laptop, app, &request_body(app, "streaming"))).await;
        assert_eq!((streamed.status, streamed.header("content-type")), (200, "text/event-stream"));
        assert_eq!(streamed.text, upstream_events(path).iter().map(frame).collect::<String>(), "unchanged");
        let over_both = over_grpc(&dify, &laptop, app, &request_body(app, "streaming")).await.unwrap();
        assert_eq!(over_both, upstream_events(path));

        let whole = blocking(&phone, app, request_body(app, "blocking")).await;
        assert_eq!((whole.status, whole.json()), (200, final_body(app)), "{}", whole.text);
        assert_eq!(over_grpc(&dify, &phone, app, &request_body(app, "blocking")).await.unwrap(), [final_body(app)]);

        let calls = upstream.runs().split_off(before);
        let mut expected = json!({"inputs": {}, "response_mode": "streaming", "user": ALICE_AT_DIFY});
        if app == CHAT {
            expected["query"] = json!("Hello");
            expected["auto_generate_name"] = json!(true);
        }
        assert_eq!(calls.len(), 4, "each is run once");
        for call in calls {
            assert_eq!((call.path.as_str(), &call.body), (path, &expected));
            let of_app = format!("api_tokens WHERE app_id = '{app}' AND type = 'app' AND token = '{}'", call.key);
            assert_eq!(database::count(&dify, &of_app).await, 1, "the app's own key");
        }
    }
    assert!(upstream.received_no_stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn created_api_key_and_each_run_are_audited() {
    let logs = Logs::capture();
    let upstream =
        FakeDify::start(
            |call| async move { events(upstream_events(&call.path).iter().map(frame).collect::<Vec<_>>()) },
        );
    let upstream = upstream.await;
    let Some(dify) = start_forwarding_to(&upstream.url).await else { return };
    database::execute(&dify, &format!("DELETE FROM api_tokens WHERE app_id = '{CHAT}'")).await;
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    assert_eq!(blocking(&alice, CHAT, request_body(CHAT, "blocking")).await.status, 200);
    over_grpc(&dify, &alice, CHAT, &request_body(CHAT, "streaming")).await.unwrap();
    let id = database::text(&dify, &format!("SELECT id::text FROM api_tokens WHERE app_id = '{CHAT}'")).await.unwrap();
    let made = logs.matching(&["INFO audit", "app.api_key_created", &format!("api_token_id={id}")]);
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].contains(&format!("app_id={CHAT}")), "{made:?}");
    assert_eq!(logs.matching(&["INFO audit", "app.run.openapi", &alice.token_id]).len(), 2);
    let key = upstream.runs().pop().unwrap().key;
    assert!(key.starts_with("app-") && !logs.events().join("\n").contains(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnect_stops_the_forwarded_run_once_as_the_same_user() {
    let upstream =
        FakeDify::start(|call| async move { open_events(vec![frame(&upstream_events(&call.path)[0])]) }).await;
    let Some(dify) = start_forwarding_to(&upstream.url).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let mut runs = 0;
    for (app, path) in
        [(CHAT, format!("/v1/chat-messages/{TASK_ID}/stop")), (WORKFLOW, format!("/v1/workflows/tasks/{TASK_ID}/stop"))]
    {
        for how in ["a stream", "a body", "a stream over gRPC", "a message over gRPC"] {
            runs += 1;
            match how {
                "a stream" => {
                    let mut socket = send_over_socket(&dify, &alice, app, &request_body(app, "streaming")).await;
                    read_first_event(&mut socket).await;
                }
                "a body" => {
                    let _socket = send_over_socket(&dify, &alice, app, &request_body(app, "blocking")).await;
                    upstream.wait_for_runs(runs).await;
                }
                "a stream over gRPC" => {
                    let mut stream = open_stream(&dify, &alice, app, &request_body(app, "streaming")).await.unwrap();
                    assert!(stream.message().await.unwrap().is_some());
                }
                _ => {
                    let body = request_body(app, "blocking");
                    tokio::select! {
                        answer = over_grpc(&dify, &alice, app, &body) => panic!("the run ended: {answer:?}"),
                        () = upstream.wait_for_runs(runs) => {}
                    }
                }
            }
            let stops = upstream.wait_for_stops(runs).await;
            assert_eq!(stops.len(), runs, "{how} of {app}");
            let (stop, run) = (stops.last().unwrap(), upstream.runs().pop().unwrap());
            assert_eq!((&stop.path, &stop.body), (&path, &json!({"user": ALICE_AT_DIFY})), "{how}");
            assert_eq!((&stop.body["user"], &stop.key), (&run.body["user"], &run.key), "{how}");
        }
    }
}

/// The status, code, message and retry delay of a rejected run. JSON and gRPC, blocking and streaming, must agree.
async fn rejection(dify: &Dify, bearer: &Bearer, query: &str) -> (u16, String, String, Option<Duration>) {
    let mut outcomes = Vec::new();
    for mode in ["blocking", "streaming"] {
        let body = json!({"inputs": {}, "query": query, "response_mode": mode});
        let answer = Answer::to(request(bearer, CHAT, &body)).await;
        let seconds = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().parse().unwrap());
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        outcomes.push((answer.status, answer.code(), message, seconds.map(Duration::from_secs)));
        let status = over_grpc(dify, bearer, CHAT, &body).await.unwrap_err();
        let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
        outcomes.push((answer.status, reason(&status), status.message().to_owned(), wait));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "JSON and gRPC differ: {outcomes:?}");
    outcomes.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_errors_are_mapped_over_json_and_grpc_and_not_retried() {
    let upstream = FakeDify::start(|call| async move {
        let (status, code) =
            if call.body["query"] == "busy" { (429, "too_many_requests") } else { (500, "internal_server_error") };
        let body = json!({"code": code, "message": "Dify's own message.", "status": status});
        error_response(status, "application/json", body.to_string())
    })
    .await;
    let Some(dify) = start_forwarding_to(&upstream.url).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let (status, code, message, wait) = rejection(&dify, &alice, "busy").await;
    assert_eq!((status, code.as_str(), wait), (429, "rate_limited", Some(Duration::from_secs(2))));
    assert!(!message.contains("Dify's"), "{message}");
    assert_eq!(upstream.runs().len(), 4);
    let (status, code, message, wait) = rejection(&dify, &alice, "broken").await;
    assert_eq!((status, code.as_str(), wait), (502, "upstream_error", None));
    assert!(!message.contains("Dify's"), "{message}");
    assert_eq!(upstream.runs().len(), 8);
    assert!(upstream.received_no_stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_connect_timeout_returns_504() {
    let listener = UnacceptingListener::start().await;
    let Some(dify) = start_forwarding_to(&listener.url).await else { return };
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let since = Instant::now();
    let (status, code, _, wait) = rejection(&dify, &alice, "Hello").await;
    assert_eq!((status, code.as_str(), wait), (504, "upstream_timeout", None));
    // Four runs with a timeout of one second each.
    assert!(
        since.elapsed() >= Duration::from_secs(4) && since.elapsed() < Duration::from_secs(20),
        "{:?}",
        since.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_run_is_a_client_span_whose_context_dify_gets_also_without_an_export() {
    let upstream =
        FakeDify::start(
            |call| async move { events(upstream_events(&call.path).iter().map(frame).collect::<Vec<_>>()) },
        );
    let upstream = upstream.await;
    let Some(mut dify) = start_forwarding_to(&upstream.url).await else { return };
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let run = async || {
        let answer = blocking(&bearer, CHAT, request_body(CHAT, "blocking")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        (answer.header("x-request-id").to_owned(), upstream.runs().pop().unwrap().traceparent)
    };
    let (id, context) = run().await;
    assert!(context.starts_with(&format!("00-{id}-")), "{context} {id}");

    dify.0.halt().await;
    let (collector, endpoint) = Collector::start().await;
    let _process = ServerProcess::start_with(&dify, &exporting_to(&endpoint)).await;
    let (_, context) = run().await;
    let request = collector.wait_for("of the run", |span| span.name.ends_with("/run")).await;
    assert_eq!(context, traceparent(&collector.wait_for_call(&request, "dify").await));
}
