//! Forms of runs that wait at Dify, over JSON: read, submitted and followed through its service API.

use axum::{Json, response::IntoResponse as _};
use serde_json::json;

use crate::support::{
    Answer, Dify,
    dify::{ALICE, ALICE_ID},
    fake_dify::{Call, FakeDify, TASK_ID, error_response, events, frame},
    forms::{form_path, get_form, submit},
    logs::Logs,
    runs::{follow_request, streamed},
};

/// "LLM Workflow" in "Acme Inc.", without inputs.
const WORKFLOW: &str = "491bd89e-5939-57ba-a933-0e5ee23f43a4";
const RUN: &str = "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a77";
const TOKEN: &str = "Zm9ybS10b2tlbi0yMg";

fn event(name: &str) -> serde_json::Value {
    json!({"event": name, "task_id": TASK_ID, "workflow_run_id": RUN, "data": {"form_token": TOKEN, "status": "paused"}})
}

/// Dify with one run, which waits until its form is submitted.
fn answer(call: &Call) -> axum::response::Response {
    if call.path.ends_with("/run") {
        return events(["workflow_started", "human_input_required", "workflow_paused"].map(|name| frame(&event(name))));
    }
    if call.path.contains("/events") {
        return events(["human_input_form_filled", "workflow_finished"].map(|name| frame(&event(name))));
    }
    if !call.path.ends_with(TOKEN) {
        let body = json!({"code": "not_found", "message": "Form not found", "status": 404});
        return error_response(404, "application/json", body.to_string());
    }
    if call.body.is_object() {
        return Json(json!({})).into_response();
    }
    Json(json!({"form_content": "Send?", "inputs": [], "resolved_default_values": {}, "user_actions": [{"id": "send"}],
        "expiration_time": 1_795_858_281}))
    .into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_are_those_of_dify() {
    let logs = Logs::capture();
    let upstream = FakeDify::start(|call| async move { answer(&call) }).await;
    let variables = [("DIFY_API_URL", upstream.url.as_str()), ("OPENAPI_RATE_LIMITS", "token=0")];
    let Some(dify) = Dify::start_with(&variables).await else { return };
    let bearer = dify.issue_token(ALICE_ID, ALICE, "laptop").await;
    let ran = streamed(&bearer, WORKFLOW, json!({"inputs": {}})).await;
    assert_eq!(ran.last().unwrap()["event"], "workflow_paused");
    let form = get_form(&bearer, WORKFLOW, TOKEN).await;
    assert_eq!((form.status, form.json()["user_actions"][0]["id"].as_str()), (200, Some("send")));
    assert_eq!(get_form(&bearer, WORKFLOW, "another").await.outcome(), (404, "not_found".to_owned()));
    let submitted = submit(&bearer, WORKFLOW, TOKEN, "send").await;
    assert_eq!((submitted.status, submitted.json()), (200, json!({})));
    let call = upstream.runs().pop().unwrap();
    assert_eq!((&call.body["action"], &call.body["inputs"]["note"]), (&json!("send"), &json!("today")));
    assert!(call.body["user"].as_str().unwrap().starts_with("openapi-"));
    let followed = Answer::to(follow_request(&bearer, WORKFLOW, RUN, "")).await.text;
    assert!(followed.contains("human_input_form_filled") && followed.contains("workflow_finished"), "{followed}");
    assert_eq!(logs.matching(&["app.form_submitted", "send"]).len(), 1);
    assert_eq!(logs.matching(&[TOKEN]).len(), 0, "the token is logged");
    assert_eq!(Answer::to(bearer.request(reqwest::Method::GET, &form_path("unknown", TOKEN))).await.status, 404);
}
