//! Forms of runs that wait at Dify, and the events of these runs.

use axum::{Json, response::IntoResponse as _};
use dify_openapi::testing::{
    domain::{App, AppMode, FormToken, WorkflowRunId},
    ports::{AppRuntime as _, FollowOptions, FormSubmission, RunOfUser},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    fake_dify::{FakeDify, TASK_ID, error_response, events, frame, open_events},
    fixture::{Fixture, collect},
    message, message_end, workflow,
};

const TOKEN: &str = "Zm9ybS10b2tlbi0yMg";

fn token() -> FormToken {
    FormToken::parse(TOKEN).unwrap()
}

fn submission<'a>(token: &'a FormToken, values: &'a Map<String, Value>) -> FormSubmission<'a> {
    FormSubmission { token, action: "send", values }
}

async fn failing(status: u16, code: &'static str) -> (FakeDify, Fixture, App) {
    let upstream = FakeDify::start(move |_| async move {
        let body = json!({"code": code, "message": "Missing required inputs: note.", "status": status});
        error_response(status, "application/json", body.to_string())
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let app = fixture.run(AppMode::Workflow).app;
    (upstream, fixture, app)
}

#[tokio::test]
async fn form_is_read_and_submitted_with_the_app_key() {
    let upstream = FakeDify::start(|call| async move {
        if call.body.is_object() {
            return Json(json!({})).into_response();
        }
        Json(json!({"form_content": "Send?", "inputs": [{"type": "paragraph", "output_variable_name": "note"}],
            "resolved_default_values": {"note": "Ann"}, "expiration_time": 1_795_858_281,
            "user_actions": [{"id": "send", "title": "Send", "button_style": "primary"}], "site": {}}))
        .into_response()
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let app = fixture.run(AppMode::Workflow).app;
    let form = fixture.runtime.find_form(&app, &token()).await.unwrap().unwrap();
    assert_eq!((form.form.form_content.as_str(), form.expires_at.timestamp()), ("Send?", 1_795_858_281));
    assert_eq!(form.form.resolved_default_values["note"], "Ann");
    let values = json!({"note": "today"}).as_object().unwrap().clone();
    let of = RunOfUser { app: &app, user: "caller-1" };
    assert!(fixture.runtime.submit_form(of, submission(&token(), &values)).await.unwrap());
    let calls = upstream.runs();
    let path = format!("/v1/form/human_input/{TOKEN}");
    assert_eq!((&calls[0].path, &calls[1].path), (&path, &path));
    assert_eq!(calls[1].body, json!({"inputs": {"note": "today"}, "action": "send", "user": "caller-1"}));
    assert_eq!(vec![calls[1].key.clone()], fixture.keys().await);
}

#[tokio::test]
async fn errors_of_forms_keep_their_codes() {
    for (status, code, expected) in [
        (404, "not_found", "not_found"),
        (404, "human_input_form_not_found", "not_found"),
        (412, "human_input_form_submitted", "human_input_form_submitted"),
        (412, "human_input_form_expired", "human_input_form_expired"),
        (400, "invalid_form_data", "invalid_param"),
        (429, "too_many_requests", "rate_limited"),
        (500, "internal_server_error", "upstream_error"),
    ] {
        let (_upstream, fixture, app) = failing(status, code).await;
        let read = fixture.runtime.find_form(&app, &token()).await.unwrap_err();
        let (token, values) = (token(), Map::new());
        let of = RunOfUser { app: &app, user: "caller-1" };
        let submitted = fixture.runtime.submit_form(of, submission(&token, &values)).await.unwrap_err();
        assert_eq!((read.code().as_str(), submitted.code().as_str()), (expected, expected));
        assert!(!format!("{read:?}{submitted:?}").contains(TOKEN), "the token is printed");
    }
}

#[tokio::test]
async fn answer_that_is_no_form_is_an_upstream_error() {
    for body in ["", "[]", "{}", "<html>", "{\"form_content\": 1}"] {
        let upstream = FakeDify::start(move |_| async move { error_response(200, "application/json", body) }).await;
        let fixture = Fixture::new(&upstream).await;
        let app = fixture.run(AppMode::Workflow).app;
        let error = fixture.runtime.find_form(&app, &token()).await.unwrap_err();
        assert_eq!(error.code().as_str(), "upstream_error", "{body}");
    }
}

#[tokio::test]
async fn stream_ends_with_a_pause_and_the_run_is_not_stopped() {
    for mode in [AppMode::Workflow, AppMode::AdvancedChat] {
        let frames = [workflow("human_input_required"), workflow("workflow_paused")];
        let sent = frames.clone();
        let upstream = FakeDify::start(move |_| {
            let frames = sent.iter().map(frame).collect();
            async move { open_events(frames) }
        })
        .await;
        let fixture = Fixture::new(&upstream).await;
        let (received, error) = collect(fixture.runtime.start(fixture.run(mode)).await.unwrap()).await;
        assert_eq!((received.as_slice(), error), (frames.as_slice(), None), "{mode:?}");
        assert!(upstream.received_no_stop().await, "{mode:?}");
    }
}

#[tokio::test]
async fn run_is_followed_at_dify_over_its_pause() {
    let all = [workflow("workflow_paused"), message("hello"), message_end(), workflow("workflow_finished")]
        .map(|event| frame(&event));
    let upstream = FakeDify::start(move |_| {
        let frames = all.clone();
        async move { events(frames) }
    })
    .await;
    let fixture = Fixture::new(&upstream).await;
    let app = fixture.run(AppMode::AdvancedChat).app;
    let run = WorkflowRunId(Uuid::new_v4());
    let of = RunOfUser { app: &app, user: "caller 1" };
    for (continue_on_pause, count) in [(true, 4), (false, 1)] {
        let options = FollowOptions { include_state_snapshot: false, continue_on_pause };
        let stream = fixture.runtime.follow(of, run, options).await.unwrap().unwrap();
        let (received, error) = collect(stream).await;
        assert_eq!((received.len(), error), (count, None));
        let path = format!(
            "/v1/workflow/{run}/events?user=caller+1&include_state_snapshot=false&continue_on_pause={continue_on_pause}"
        );
        assert_eq!(upstream.runs().pop().unwrap().path, path);
    }
    assert!(upstream.received_no_stop().await, "{TASK_ID}");
    let (_upstream, fixture, app) = failing(404, "not_found").await;
    let of = RunOfUser { app: &app, user: "caller 1" };
    let error = fixture.runtime.follow(of, run, FollowOptions::default()).await.unwrap_err();
    assert_eq!(error.code().as_str(), "not_found");
}
