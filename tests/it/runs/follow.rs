//! `GET /apps/{id}/tasks/{run_id}/events` and `RunService.GetRunEvents`.

use dify_openapi::testing::rpc::proto::{GetRunEventsRequest, run_event::Event};
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, database,
    grpc::{Clients, channel, with_bearer},
    runs::{EventReader, follow_request, prompt_app, request, started, stop, talking_app, wait_for_running, words},
    server::{MEMBER, OWNER},
};

const SLOW: [(&str, &str); 1] = [("ECHO_PACE_MS", "20")];

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_else(|| panic!("no {name} in {event}"))
}

/// The answer in the events of a stream.
fn answer(events: &[Value]) -> String {
    events.iter().filter(|event| event["event"] == "message").map(|event| text(event, "answer")).collect()
}

on_both_stores!(
    snapshot_repeats_all_events_and_follows_to_the_end,
    without_a_snapshot_events_begin_now,
    finished_run_has_one_event,
    run_of_another_caller_is_not_found,
    run_over_grpc_is_followed,
    generation_3_leaves_its_run_going
);

async fn snapshot_repeats_all_events_and_follows_to_the_end(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(60))).await;
    let run = text(&first, "workflow_run_id");
    let stream = EventReader::open(follow_request(&bearer, &app, run, "include_state_snapshot=true")).await;
    let (events, followed) = tokio::join!(reader.rest(), stream.rest());
    assert_eq!(followed[0], first);
    assert_eq!(followed[1..], events[..]);
    assert_eq!(followed.last().unwrap()["event"], "workflow_finished");
}

async fn without_a_snapshot_events_begin_now(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (mut reader, first) = started(request(&bearer, &app, &words(80))).await;
    while !reader.next().await.unwrap()["answer"].as_str().unwrap_or_default().contains("w20") {}
    let stream = EventReader::open(follow_request(&bearer, &app, text(&first, "workflow_run_id"), "")).await;
    let (events, followed) = tokio::join!(reader.rest(), stream.rest());
    assert!(!followed.iter().any(|event| event["event"] == "workflow_started"));
    assert!(answer(&followed).ends_with("w78 w79") && !answer(&followed).contains("w5 "), "{}", answer(&followed));
    assert_eq!(followed.last(), events.last());
}

async fn finished_run_has_one_event(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(3))).await;
    let end = reader.rest().await.pop().unwrap();
    for query in ["", "include_state_snapshot=true&continue_on_pause=true"] {
        let run = text(&first, "workflow_run_id");
        let followed = EventReader::open(follow_request(&bearer, &app, run, query)).await.rest().await;
        assert_eq!(followed.len(), 1, "{followed:?}");
        for member in ["id", "workflow_id", "status", "outputs", "error", "total_tokens", "total_steps", "created_at"] {
            assert_eq!(followed[0]["data"][member], end["data"][member], "{member}");
        }
        assert_eq!(followed[0]["workflow_run_id"], end["workflow_run_id"]);
    }
}

async fn run_of_another_caller_is_not_found(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let (app, chat) = (talking_app(&server).await, prompt_app(&server, "chat").await);
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    let (reader, first) = started(request(&bearer, &app, &words(40))).await;
    let run = text(&first, "workflow_run_id").to_owned();
    let outcome =
        async |bearer: &Bearer, app: &str, run: &str| Answer::to(follow_request(bearer, app, run, "")).await.outcome();
    let not_found = (404, "not_found".to_owned());
    assert_eq!(outcome(&member, &app, &run).await, not_found);
    reader.rest().await;
    assert_eq!(outcome(&member, &app, &run).await, not_found, "also when it has finished");
    assert_eq!(outcome(&bearer, &app, "00000000-0000-0000-0000-000000000001").await, not_found);
    assert_eq!(outcome(&bearer, &app, "no-uuid").await, not_found);
    assert_eq!(outcome(&bearer, &chat, &run).await.0, 422, "a chat has no workflow");
}

async fn run_over_grpc_is_followed(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(30))).await;
    let message = GetRunEventsRequest {
        id: app.clone(),
        run_id: text(&first, "workflow_run_id").to_owned(),
        include_state_snapshot: Some(true),
        continue_on_pause: None,
    };
    let mut clients = Clients::on(channel(&server).await);
    let mut stream = clients.run.get_run_events(with_bearer(message, &bearer.token)).await.unwrap().into_inner();
    let mut names = Vec::new();
    let mut last = None;
    while let Some(event) = stream.message().await.unwrap() {
        names.push(event.event);
        assert!(event.typed.is_some(), "every event of this app is declared");
        last = event.typed;
    }
    let events = reader.rest().await;
    assert_eq!(names.len(), events.len() + 1);
    assert_eq!(names.last().unwrap(), "workflow_finished");
    let last = last.unwrap();
    assert_eq!(last.workflow_run_id.as_deref(), first["workflow_run_id"].as_str());
    let Some(Event::WorkflowFinished(finished)) = last.event else { panic!("another event") };
    assert_eq!(finished.status, "succeeded");
    assert_eq!(finished.created_at, events.last().unwrap()["data"]["created_at"].as_i64().unwrap());
}

async fn generation_3_leaves_its_run_going(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let run_request = request(&bearer, &app, &words(60)).header("user-agent", "difyctl/1.18.0 (linux; amd64; go)");
    let (reader, first) = started(run_request).await;
    drop(reader);
    let run = text(&first, "workflow_run_id");
    let followed =
        EventReader::open(follow_request(&bearer, &app, run, "include_state_snapshot=true")).await.rest().await;
    assert_eq!(followed.last().unwrap()["data"]["status"], "succeeded");
    assert!(answer(&followed).ends_with("w59"));
    // Stop ends a run without a reader.
    let run_request = request(&bearer, &app, &words(2_000)).header("user-agent", "difyctl/1.19.2 (darwin; arm64)");
    let (reader, first) = started(run_request).await;
    drop(reader);
    assert_eq!(stop(&bearer, &app, text(&first, "task_id")).await.json(), json!({"result": "success"}));
    wait_for_running(&server, 0).await;
    let stopped = "workflow_runs WHERE status = 'stopped'";
    assert_eq!(database::count(&server, stopped).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_is_followed_on_another_replica_until_its_own_ends() {
    let Some(stores) = Stores::servers().await else { return };
    let one = TestServer::start_with(stores, &SLOW).await;
    let other = one.replica().await;
    let app = talking_app(&one).await;
    let bearer = Bearer::sign_in(&one, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(40))).await;
    let run = text(&first, "workflow_run_id");
    let stream = EventReader::open(follow_request(&bearer.at(&other), &app, run, "include_state_snapshot=true")).await;
    let (events, followed) = tokio::join!(reader.rest(), stream.rest());
    assert_eq!(followed[1..], events[..]);
    // A replica that stops ends its runs, and their followers with them.
    let (reader, first) = started(request(&bearer, &app, &words(2_000))).await;
    let run = text(&first, "workflow_run_id").to_owned();
    let stream = EventReader::open(follow_request(&bearer.at(&other), &app, &run, "include_state_snapshot=true")).await;
    drop(reader);
    one.stop().await;
    let followed = stream.rest().await;
    assert_eq!(followed.last().unwrap()["event"], "workflow_finished");
    assert_eq!(followed.last().unwrap()["data"]["status"], "stopped");
}
