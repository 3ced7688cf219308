//! Runs of Dify's apps that are stopped by their task.

use serde_json::json;
use uuid::Uuid;

use crate::support::{
    Bearer, Dify,
    dify::{ALICE, ALICE_ID, BOB, BOB_ID},
    fake_dify::{FakeDify, TASK_ID, frame, open_events},
    logs::Logs,
    runs::{request, started, stop},
};

/// "LLM Workflow" in "Acme Inc.", without inputs.
const WORKFLOW: &str = "491bd89e-5939-57ba-a933-0e5ee23f43a4";
/// The end user that Dify stores for Alice.
const ALICE_AT_DIFY: &str = "openapi-829bcc736e9a3c4b9e012faa0f1f80ce";

/// A server that forwards to a Dify whose runs do not end, and Alice.
async fn start() -> Option<(FakeDify, Dify, Bearer)> {
    let upstream = FakeDify::start(|_| async {
        let started = json!({"event": "workflow_started", "task_id": TASK_ID, "workflow_run_id": Uuid::new_v4(),
            "data": {}});
        open_events(vec![frame(&started)])
    })
    .await;
    let variables = [("DIFY_API_URL", &*upstream.url), ("OPENAPI_RATE_LIMITS", "token=0")];
    let dify = Dify::start_with(&variables).await?;
    let alice = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    Some((upstream, dify, alice))
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_is_forwarded_for_the_runs_of_the_caller_only() {
    let logs = Logs::capture();
    let Some((upstream, dify, alice)) = start().await else { return };
    let unknown = Uuid::new_v4().to_string();
    assert_eq!(stop(&alice, WORKFLOW, &unknown).await.json(), json!({"result": "success"}));
    let body = json!({"inputs": {}, "response_mode": "streaming"});
    let (reader, _) = started(request(&alice, WORKFLOW, &body)).await;
    let bob = dify.issue_token(BOB_ID, BOB, "laptop").await;
    assert_eq!(stop(&bob, WORKFLOW, TASK_ID).await.status, 404);
    assert!(upstream.received_no_stop().await);
    assert!(logs.matching(&["app.run_stopped", WORKFLOW]).is_empty());

    assert_eq!(stop(&alice, WORKFLOW, TASK_ID).await.json(), json!({"result": "success"}));
    let stops = upstream.wait_for_stops(1).await;
    assert_eq!(stops.len(), 1);
    assert_eq!(
        (&*stops[0].path, &stops[0].body),
        (&*format!("/v1/workflows/tasks/{TASK_ID}/stop"), &json!({"user": ALICE_AT_DIFY}))
    );
    assert_eq!(logs.matching(&["app.run_stopped", TASK_ID, ALICE]).len(), 1);
    drop(reader);
}
