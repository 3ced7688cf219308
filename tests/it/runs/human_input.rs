//! Runs that wait for a person: `GET`, `POST /apps/{id}/form/human_input/{token}`, and the node `human-input`.

use dify_openapi::testing::{
    domain::AppId,
    rpc::proto::{GetHumanInputFormRequest, SubmitHumanInputFormRequest},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer,
    command::succeeded,
    database::{self, external_token},
    forms::{Waiting, asking_app, form_path, get_form, paused, paused_with, submit, submit_with},
    grpc::{Clients, channel, reason, with_bearer},
    logs::Logs,
    runs::{EventReader, blocking, events, follow_request, stop, streamed},
    server::{MEMBER, OWNER, no_limits},
};

const HOUR: i64 = 3_600;

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

async fn followed(bearer: &Bearer, app: &str, run: &str, query: &str) -> Vec<Value> {
    EventReader::open(follow_request(bearer, app, run, query)).await.rest().await
}

/// The end of a run, from its row.
async fn end_of(bearer: &Bearer, app: &str, run: &str) -> Value {
    for _ in 0..400 {
        let answer = Answer::to(follow_request(bearer, app, run, "")).await;
        if let Some(end) = events(&answer.text).pop().filter(|_| answer.status == 200) {
            return end["data"].clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the run {run} has no end");
}

async fn server(stores: Stores) -> (TestServer, Bearer) {
    let server = TestServer::start_without_limits(stores).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    (server, bearer)
}

on_every_database!(
    run_pauses_and_continues_with_the_form,
    form_is_submitted_once,
    expired_form_continues_along_its_timeout,
    restart_between_pause_and_submission_loses_nothing,
    stop_ends_a_run_that_waits
);

async fn run_pauses_and_continues_with_the_form(stores: Stores) {
    let logs = Logs::capture();
    let (server, bearer) = server(stores).await;
    let app = asking_app(&server, "workflow").await;
    let waiting = paused(&bearer, &app).await;
    let expected =
        ["workflow_started", "node_started", "node_finished", "node_started", "node_finished", "node_started"];
    assert_eq!(names(&waiting.events)[..6], expected);
    assert_eq!(names(&waiting.events)[6..], ["human_input_required", "workflow_paused"]);
    let data = &waiting.events[6]["data"];
    assert_eq!(data["form_content"], "Send Hello Ann? {{#$output.note#}}");
    assert_eq!(data["display_in_ui"], true);
    let form = get_form(&bearer, &app, &waiting.token).await.json();
    for member in ["form_content", "inputs", "resolved_default_values", "expiration_time"] {
        assert_eq!(form[member], data[member], "{member}");
    }
    assert_eq!((&form["user_actions"], &form["resolved_default_values"]), (&data["actions"], &json!({"note": "Ann"})));
    let submitted = submit(&bearer, &app, &waiting.token, "send").await;
    assert_eq!((submitted.status, submitted.json()), (200, json!({})));
    let since = followed(&bearer, &app, &waiting.run, "").await;
    let end = end_of(&bearer, &app, &waiting.run).await;
    let outputs = json!({"text": "Hello Ann", "note": "today", "action": "send", "content": "Send Hello Ann? today"});
    assert_eq!((&end["status"], &end["outputs"]), (&json!("succeeded"), &outputs));
    // A run that has finished by then has its end only.
    if since.len() > 1 {
        let resumed =
            ["human_input_form_filled", "node_finished", "node_started", "node_finished", "workflow_finished"];
        // The end node streams its text between them.
        let mut since = names(&since);
        since.retain(|name| *name != "text_chunk");
        assert_eq!(since, resumed);
    }
    assert_eq!(end["total_steps"], 4);
    assert_eq!(logs.matching(&["app.form_submitted", &waiting.run, "send"]).len(), 1);
    assert_eq!(logs.matching(&[&waiting.token]).len(), 0, "the token is logged");
    let tokens = format!("openapi_human_forms WHERE token_hash = '{0}' OR form LIKE '%{0}%'", waiting.token);
    assert_eq!(database::count(&server, &tokens).await, 0, "the token is stored");
    let left = format!("openapi_human_forms WHERE workflow_run_id = '{}' AND form = '' AND state = ''", waiting.run);
    assert_eq!(database::count(&server, &left).await, 1, "the state is dropped");
}

async fn form_is_submitted_once(stores: Stores) {
    let (server, bearer) = server(stores).await;
    let (app, other_app) = (asking_app(&server, "workflow").await, asking_app(&server, "workflow").await);
    let waiting = paused(&bearer, &app).await;
    let not_found = (404, "not_found".to_owned());
    for token in ["another-token", "%00", &"x".repeat(2_000), &format!("{}x", waiting.token)] {
        assert_eq!(get_form(&bearer, &app, token).await.outcome(), not_found, "{token}");
        assert_eq!(submit(&bearer, &app, token, "send").await.outcome(), not_found, "{token}");
    }
    assert_eq!(submit(&bearer, &other_app, &waiting.token, "send").await.outcome(), not_found);
    // Another member may submit it, but the run stays that of its caller.
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    assert_eq!(submit(&member, &app, &waiting.token, "reject").await.status, 200);
    assert_eq!(Answer::to(follow_request(&member, &app, &waiting.run, "")).await.outcome(), not_found);
    let used = (412, "human_input_form_submitted".to_owned());
    assert_eq!(submit(&bearer, &app, &waiting.token, "send").await.outcome(), used);
    assert_eq!(get_form(&bearer, &app, &waiting.token).await.outcome(), used);
    server.advance(3 * HOUR);
    assert_eq!(get_form(&bearer, &app, &waiting.token).await.outcome(), used);
    let end = end_of(&bearer, &app, &waiting.run).await;
    assert_eq!((&end["status"], &end["outputs"]), (&json!("succeeded"), &json!({})), "an action without an edge");
}

async fn expired_form_continues_along_its_timeout(stores: Stores) {
    let (server, bearer) = server(stores).await;
    let app = asking_app(&server, "workflow").await;
    let waiting = paused(&bearer, &app).await;
    let runs = server.running().app.services().runs.clone();
    runs.resume_expired().await.unwrap();
    assert_eq!(get_form(&bearer, &app, &waiting.token).await.status, 200, "it has not expired");
    server.advance(2 * HOUR);
    let expired = (412, "human_input_form_expired".to_owned());
    assert_eq!(submit(&bearer, &app, &waiting.token, "send").await.outcome(), expired);
    let (one, other) = tokio::join!(runs.resume_expired(), runs.resume_expired());
    assert!(one.is_ok() && other.is_ok());
    let end = end_of(&bearer, &app, &waiting.run).await;
    assert_eq!((&end["status"], &end["outputs"]), (&json!("succeeded"), &json!({"action": ""})));
    assert_eq!(get_form(&bearer, &app, &waiting.token).await.outcome(), expired);
    server.advance(31 * 24 * HOUR);
    runs.delete_resolved_forms().await.unwrap();
    assert_eq!(database::count(&server, "openapi_human_forms").await, 0);
}

async fn restart_between_pause_and_submission_loses_nothing(stores: Stores) {
    let (server, bearer) = server(stores).await;
    let app = asking_app(&server, "workflow").await;
    let waiting = paused(&bearer, &app).await;
    let again = server.replica().await;
    server.stop().await;
    let bearer = bearer.at(&again);
    let follower = EventReader::open(follow_request(&bearer, &app, &waiting.run, "continue_on_pause=true")).await;
    assert_eq!(submit(&bearer, &app, &waiting.token, "send").await.status, 200);
    let events = follower.rest().await;
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["data"]["outputs"]["note"]), (&json!("workflow_finished"), &json!("today")));
}

async fn stop_ends_a_run_that_waits(stores: Stores) {
    let (server, bearer) = server(stores).await;
    let app = asking_app(&server, "workflow").await;
    let waiting = paused(&bearer, &app).await;
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    assert_eq!(stop(&member, &app, &waiting.task).await.status, 404);
    assert_eq!(get_form(&bearer, &app, &waiting.token).await.status, 200);
    assert_eq!(stop(&bearer, &app, &waiting.task).await.json(), json!({"result": "success"}));
    assert_eq!(end_of(&bearer, &app, &waiting.run).await["status"], "stopped");
    assert_eq!(submit(&bearer, &app, &waiting.token, "send").await.status, 412);
    assert_eq!(stop(&bearer, &app, &waiting.task).await.status, 200);
}

/// Of two submissions on two replicas one is accepted, and the run ends once.
#[tokio::test(flavor = "multi_thread")]
async fn form_is_resumed_once_on_two_replicas() {
    let Some(stores) = Stores::servers().await else { return };
    let (one, bearer) = server(stores).await;
    let other = one.replica().await;
    let app = asking_app(&one, "workflow").await;
    let there = bearer.at(&other);
    for _ in 0..10 {
        let waiting = paused(&bearer, &app).await;
        let follower = EventReader::open(follow_request(&there, &app, &waiting.run, "continue_on_pause=true")).await;
        let token = &waiting.token;
        let (here, there) = tokio::join!(submit(&bearer, &app, token, "send"), submit(&there, &app, token, "reject"));
        let mut statuses = [here.status, there.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        let ends = follower.rest().await.iter().filter(|event| event["event"] == "workflow_finished").count();
        assert_eq!(ends, 1);
        let rows = format!("workflow_runs WHERE id = '{}'", waiting.run);
        assert_eq!(database::count(&one, &rows).await, 1);
    }
}

/// A client that submits the form before it has read the pause sees the run continue after the pause.
#[tokio::test(flavor = "multi_thread")]
async fn form_may_be_submitted_as_soon_as_it_is_read() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let app = asking_app(&server, "workflow").await;
    for _ in 0..5 {
        let body = json!({"inputs": {"name": "Ann"}, "response_mode": "streaming"});
        let mut reader = EventReader::open(crate::support::runs::request(&bearer, &app, &body)).await;
        let required = loop {
            let event = reader.next().await.expect("a form");
            if event["event"] == "human_input_required" {
                break event;
            }
        };
        let token = required["data"]["form_token"].as_str().unwrap();
        assert_eq!(submit(&bearer, &app, token, "send").await.status, 200);
        let run = required["workflow_run_id"].as_str().unwrap();
        let all = followed(&bearer, &app, run, "include_state_snapshot=true&continue_on_pause=true").await;
        assert_eq!(all.last().unwrap()["event"], "workflow_finished");
        assert_eq!(names(&reader.rest().await), ["workflow_paused"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chatflow_pauses_and_stores_its_message_at_the_end() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let app = asking_app(&server, "advanced-chat").await;
    let body = json!({"inputs": {"name": "Ann"}, "query": "Greet her"});
    let waiting = paused_with(&bearer, &app, body.clone()).await;
    assert_eq!(database::count(&server, "messages").await, 0);
    let conversation = waiting.events[0]["conversation_id"].clone();
    assert_eq!(waiting.events[6]["conversation_id"], conversation);
    assert_eq!(submit(&bearer, &app, &waiting.token, "send").await.status, 200);
    let end = end_of(&bearer, &app, &waiting.run).await;
    assert_eq!((&end["status"], &end["outputs"]["answer"]), (&json!("succeeded"), &json!("Hello Ann: today")));
    // The conversation continues, and waits again.
    let mut again = body;
    again["conversation_id"] = conversation.clone();
    let waiting = paused_with(&bearer, &app, again).await;
    assert_eq!(waiting.events[0]["conversation_id"], conversation);
    assert_eq!(submit(&bearer, &app, &waiting.token, "reject").await.status, 200);
    end_of(&bearer, &app, &waiting.run).await;
    let answers = format!("messages WHERE conversation_id = {conversation}").replace('"', "'");
    assert_eq!(database::count(&server, &answers).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_run_returns_its_pause() {
    let (server, bearer) = server(Stores::Sqlite).await;
    for mode in ["workflow", "advanced-chat"] {
        let app = asking_app(&server, mode).await;
        let mut body = json!({"inputs": {"name": "Ann"}});
        if mode != "workflow" {
            body["query"] = json!("Greet her");
        }
        let paused = blocking(&bearer, &app, body).await.json();
        assert_eq!((&paused["event"], &paused["mode"]), (&json!("workflow_paused"), &json!(mode)));
        assert_eq!(paused["data"]["status"], "paused");
        let token = paused["data"]["reasons"][0]["form_token"].as_str().unwrap();
        assert_eq!(submit(&bearer, &app, token, "send").await.status, 200);
        let run = paused["workflow_run_id"].as_str().unwrap();
        assert_eq!(end_of(&bearer, &app, run).await["status"], "succeeded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_submissions_are_rejected_and_leave_the_form_open() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let app = asking_app(&server, "workflow").await;
    let Waiting { token, run, .. } = paused(&bearer, &app).await;
    let valid = json!({"tone": "warm"});
    for (body, status, code) in [
        (json!({"action": "unknown", "inputs": valid}), 422, "invalid_param"),
        (json!({"action": "__timeout", "inputs": valid}), 422, "invalid_param"),
        (json!({"inputs": valid}), 422, "invalid_param"),
        (json!({"action": "send"}), 422, "input_required"),
        (json!({"action": "send", "inputs": {"tone": "hot"}}), 422, "invalid_param"),
        (json!({"action": "send", "inputs": {"tone": ["warm"]}}), 422, "invalid_param"),
        (json!({"action": "send", "inputs": {"tone": {"a": [[["deep"]]]}}}), 422, "invalid_param"),
        (json!({"action": 1, "inputs": valid}), 400, "invalid_request"),
        (json!({"action": "send", "inputs": []}), 400, "invalid_request"),
        (json!([]), 400, "invalid_request"),
    ] {
        let answer = submit_with(&bearer, &app, &token, &body).await;
        assert_eq!(answer.outcome(), (status, code.to_owned()), "{body:.100}");
    }
    let large = json!({"action": "send", "inputs": {"tone": "x".repeat(70 << 10)}});
    let large = bearer.request(Method::POST, &form_path(&app, &token)).json(&large);
    assert_eq!(Answer::to(large).await.outcome(), (413, "request_entity_too_large".to_owned()));
    // Unknown inputs are accepted.
    let body = json!({"action": "send", "inputs": {"tone": "cold", "note": "a\u{0}b", "more": {}}});
    assert_eq!(submit_with(&bearer, &app, &token, &body).await.status, 200);
    let note = end_of(&bearer, &app, &run).await["outputs"]["note"].clone();
    assert!(note == "a\u{0}b" || note == "ab", "{note}");
}

/// External identities use the paths of generation 2, in apps that they are permitted to use.
#[tokio::test(flavor = "multi_thread")]
async fn external_identities_submit_forms_of_permitted_apps() {
    let limits = no_limits();
    let variables = [("OPENAPI_RATE_LIMITS", limits.as_str()), ("ENTERPRISE_ENABLED", "true")];
    let server = TestServer::start_with(Stores::Sqlite, &variables).await;
    let (app, other) = (asking_app(&server, "workflow").await, asking_app(&server, "workflow").await);
    succeeded(server.command(&["app", "access-mode", "set", &app, "sso_verified"], ""));
    succeeded(server.command(&["app", "access-mode", "set", &other, "private"], ""));
    let (token, id) = external_token(&server, "eve@idp.example", "laptop").await;
    let eve = Bearer::with_token(&server, &token, &id);
    let body = json!({"inputs": {"name": "Ann"}, "response_mode": "streaming"});
    let path = format!("/openapi/v1/permitted-external-apps/{app}/run");
    let ran = events(&Answer::to(eve.request(Method::POST, &path).json(&body)).await.text);
    let required = &ran[ran.len() - 2];
    let token = required["data"]["form_token"].as_str().unwrap_or_else(|| panic!("{ran:?}"));
    let form = |app: &str| format!("/openapi/v1/apps/{app}/human-input-forms/{token}");
    assert_eq!(Answer::to(eve.request(Method::GET, &form_path(&app, token))).await.outcome().1, "wrong_surface");
    assert_eq!(Answer::to(eve.request(Method::GET, &form(&other))).await.status, 404);
    assert_eq!(Answer::to(eve.request(Method::GET, &form(&app))).await.status, 200);
    let submission = eve.request(Method::POST, &format!("{}:submit", form(&app)));
    let body = json!({"action": "send", "inputs": {"tone": "warm"}});
    assert_eq!(Answer::to(submission.json(&body)).await.status, 200);
    assert_eq!(end_of(&eve, &app, required["workflow_run_id"].as_str().unwrap()).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_runs_of_a_caller_are_limited() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let app = asking_app(&server, "workflow").await;
    for _ in 0..100 {
        paused(&bearer, &app).await;
    }
    let events = streamed(&bearer, &app, json!({"inputs": {"name": "Ann"}})).await;
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&json!("error"), &json!("rate_limited")));
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    paused(&member, &app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn run_of_an_app_that_is_gone_ends_when_its_form_expires() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let (app, deleted) = (asking_app(&server, "workflow").await, asking_app(&server, "workflow").await);
    paused(&bearer, &app).await;
    paused(&bearer, &deleted).await;
    crate::support::apps::set(&server, &app, "enable_api = FALSE").await;
    server.sql().delete_app(AppId(deleted.parse().unwrap())).await.unwrap();
    assert_eq!(database::count(&server, "openapi_human_forms").await, 1);
    server.advance(2 * HOUR);
    let runs = server.running().app.services().runs.clone();
    runs.resume_expired().await.unwrap();
    assert_eq!(database::count(&server, "openapi_human_forms WHERE resolved_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn form_over_grpc_and_the_paths_of_generation_2() {
    let (server, bearer) = server(Stores::Sqlite).await;
    let app = asking_app(&server, "workflow").await;
    let waiting = paused(&bearer, &app).await;
    let mut clients = Clients::on(channel(&server).await);
    let get = GetHumanInputFormRequest { id: app.clone(), token: waiting.token.clone() };
    let form = clients.run.get_human_input_form(with_bearer(get, &bearer.token)).await.unwrap().into_inner();
    assert_eq!(form.user_actions.len(), 2);
    let path = format!("/openapi/v1/apps/{app}/human-input-forms/{}", waiting.token);
    assert_eq!(bearer.get(&path).await.0, 200);
    let body = json!({"inputs": {"tone": "warm"}, "action": "send"});
    let submitted = Answer::to(bearer.request(Method::POST, &format!("{path}:submit")).json(&body)).await;
    assert_eq!((submitted.status, submitted.json()), (200, json!({})));
    let again = SubmitHumanInputFormRequest {
        id: app.clone(),
        token: waiting.token.clone(),
        inputs: None,
        action: "send".to_owned(),
    };
    let used = clients.run.submit_human_input_form(with_bearer(again, &bearer.token)).await.unwrap_err();
    assert_eq!(reason(&used), "human_input_form_submitted");
    assert_eq!(end_of(&bearer, &app, &waiting.run).await["outputs"]["note"], "Ann", "the default");
}
