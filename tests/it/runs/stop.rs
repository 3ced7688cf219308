//! `POST /apps/{id}/tasks/{task_id}/stop` and `RunService.StopRun`.

use dify_openapi::testing::rpc::proto::StopRunRequest;
use serde_json::{Value, json};

use crate::support::{
    Bearer, Stores, TestServer,
    grpc::{Clients, channel, with_bearer},
    logs::Logs,
    runs::{prompt_app, request, started, stop, talking_app, words},
    server::{MEMBER, OWNER},
};

const SLOW: [(&str, &str); 1] = [("ECHO_PACE_MS", "20")];

fn text<'a>(event: &'a Value, name: &str) -> &'a str {
    event[name].as_str().unwrap_or_else(|| panic!("no {name} in {event}"))
}

on_both_stores!(
    stop_ends_a_run_whose_reader_gets_the_end,
    stop_over_grpc_ends_the_answer_of_a_chat,
    stop_of_a_finished_or_unknown_task_succeeds,
    stop_of_another_callers_run_is_not_found
);

async fn stop_ends_a_run_whose_reader_gets_the_end(stores: Stores) {
    let logs = Logs::capture();
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(2_000))).await;
    let stopped = stop(&bearer, &app, text(&first, "task_id")).await;
    assert_eq!((stopped.status, stopped.json()), (200, json!({"result": "success"})));
    let events = reader.rest().await;
    let names: Vec<_> = events.iter().rev().take(2).map(|event| text(event, "event")).collect();
    assert_eq!(names, ["workflow_finished", "message_end"]);
    assert_eq!(events.last().unwrap()["data"]["status"], "stopped");
    assert_eq!(logs.matching(&["app.run_stopped", text(&first, "task_id"), OWNER]).len(), 1);
}

async fn stop_over_grpc_ends_the_answer_of_a_chat(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(2_000))).await;
    let message = StopRunRequest { id: app.clone(), task_id: text(&first, "task_id").to_owned() };
    let mut clients = Clients::on(channel(&server).await);
    let reply = clients.run.stop_run(with_bearer(message, &bearer.token)).await.unwrap();
    assert_eq!(reply.get_ref().result, "success");
    let events = reader.rest().await;
    assert_eq!(text(events.last().unwrap(), "event"), "message_end");
    assert!(events.len() < 1_000, "{} events", events.len());
}

async fn stop_of_a_finished_or_unknown_task_succeeds(stores: Stores) {
    let server = TestServer::start(stores).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(1))).await;
    assert_eq!(reader.rest().await.last().unwrap()["data"]["status"], "succeeded");
    for task in [text(&first, "task_id"), "00000000-0000-0000-0000-000000000001", "no-uuid"] {
        assert_eq!(stop(&bearer, &app, task).await.status, 200, "{task}");
    }
    let unknown = stop(&bearer, "00000000-0000-0000-0000-000000000001", text(&first, "task_id")).await;
    assert_eq!(unknown.outcome(), (404, "not_found".to_owned()));
}

async fn stop_of_another_callers_run_is_not_found(stores: Stores) {
    let server = TestServer::start_with(stores, &SLOW).await;
    let (app, other_app) = (talking_app(&server).await, prompt_app(&server, "chat").await);
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let member = Bearer::sign_in(&server, MEMBER, "phone").await;
    let (reader, first) = started(request(&bearer, &app, &words(100))).await;
    let task = text(&first, "task_id");
    assert_eq!(stop(&member, &app, task).await.outcome(), (404, "not_found".to_owned()));
    assert_eq!(stop(&bearer, &other_app, task).await.outcome(), (404, "not_found".to_owned()));
    assert_eq!(reader.rest().await.last().unwrap()["data"]["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_on_one_replica_ends_the_run_of_another() {
    let Some(stores) = Stores::servers().await else { return };
    let one = TestServer::start_with(stores, &SLOW).await;
    let other = one.replica().await;
    let app = talking_app(&one).await;
    let bearer = Bearer::sign_in(&one, OWNER, "laptop").await;
    let (reader, first) = started(request(&bearer, &app, &words(2_000))).await;
    let (there, task) = (bearer.at(&other), text(&first, "task_id"));
    assert_eq!(stop(&there, &app, task).await.status, 200);
    let member = Bearer::sign_in(&one, MEMBER, "phone").await;
    assert_eq!(stop(&member.at(&other), &app, task).await.status, 404);
    let events = reader.rest().await;
    assert_eq!(events.last().unwrap()["data"]["status"], "stopped");
}

/// A stop that comes with the end of the run changes neither: the run ends once, with either status.
#[tokio::test(flavor = "multi_thread")]
async fn stop_against_finish_ends_the_run_once() {
    let server = TestServer::start_without_limits(Stores::Sqlite).await;
    let app = talking_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for round in 0..20 {
        let (reader, first) = started(request(&bearer, &app, &words(1 + 10 * round))).await;
        let task = text(&first, "task_id");
        let (stopped, events) = tokio::join!(stop(&bearer, &app, task), reader.rest());
        assert_eq!(stopped.status, 200);
        let ends = events.iter().filter(|event| event["event"] == "workflow_finished").count();
        assert_eq!(ends, 1, "round {round}");
        let status = text(&events.last().unwrap()["data"], "status");
        assert!(["stopped", "succeeded"].contains(&status), "{status}");
    }
}
