//! A process that is terminated while runs are active.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use dify_openapi::testing::rpc::proto::RunAppResponse;
use sea_orm::{ConnectionTrait as _, Database, DbBackend, Statement};
use serde_json::{Value, json};
use tonic::{Status, Streaming, transport::Channel};

use crate::support::{
    demo_user::DemoUser,
    dev_server::DevServer,
    grpc::{Clients, reason, with_bearer},
    process,
    runs::{events, message},
};

/// The default of Kubernetes.
const TERMINATION_GRACE_PERIOD: Duration = Duration::from_secs(30);

/// A run that answers with so many words. The demo model sends 33 words per second.
fn body(words: usize) -> Value {
    let words = (0..words).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ");
    json!({"inputs": {}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

/// Longer than the shutdown timeout.
fn long_run() -> Value {
    body(3_000)
}

/// A few seconds, most of which remain after the termination signal.
fn short_run() -> Value {
    body(160)
}

/// Starts a run over JSON and reads its first event.
async fn start_run(user: &DemoUser, app: &str, body: &Value) -> (reqwest::Response, String) {
    let mut response = user.request(app, body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    (response, String::from_utf8(first.to_vec()).unwrap())
}

/// Reads the remaining events.
async fn remaining_events((mut response, mut text): (reqwest::Response, String)) -> Vec<Value> {
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += core::str::from_utf8(&chunk).unwrap();
    }
    events(&text)
}

async fn start_run_over_grpc(user: &DemoUser, app: &str, body: &Value) -> Streaming<RunAppResponse> {
    let channel = Channel::from_shared(user.url.clone()).unwrap().connect().await.unwrap();
    let request = with_bearer(message(&user.apps[app], body), &user.token);
    let mut stream = Clients::on(channel).app.run_app(request).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    stream
}

/// The last event, or the error that ends the stream.
async fn last_event(mut stream: Streaming<RunAppResponse>) -> Result<String, Status> {
    let mut last = String::new();
    while let Some(response) = stream.message().await? {
        last = response.event;
    }
    Ok(last)
}

async fn rows(data: &Path, query: &str) -> Vec<String> {
    let url = format!("sqlite://{}", data.join("dify-openapi.db").display());
    let connection = Database::connect(url).await.unwrap();
    let rows = connection.query_all_raw(Statement::from_string(DbBackend::Sqlite, query)).await.unwrap();
    let rows = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    connection.close().await.unwrap();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_finishes_short_runs_and_stops_long_ones() {
    let data = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(data.path());
    let user = DemoUser::sign_in(&server).await;
    let graph = start_run(&user, "Concierge", &long_run()).await;
    let prompt = start_run_over_grpc(&user, "Parrot", &long_run()).await;
    let ending = start_run(&user, "Concierge", &short_run()).await;
    let ending_over_grpc = start_run_over_grpc(&user, "Detective", &short_run()).await;

    process::terminate(&server.process.0);
    let signalled = Instant::now();
    let short = async {
        let ends = (remaining_events(ending).await, last_event(ending_over_grpc).await);
        (ends, signalled.elapsed())
    };
    let (((ended, ended_over_grpc), took), broken, broken_over_grpc) =
        tokio::join!(short, remaining_events(graph), last_event(prompt));
    assert_eq!(ended.last().unwrap()["event"], "workflow_finished", "{ended:?}");
    assert_eq!(ended.last().unwrap()["data"]["status"], "succeeded");
    assert_eq!(ended_over_grpc.unwrap(), "message_end");
    assert!(took > Duration::from_millis(500), "the short runs ended before the signal: {took:?}");
    let error = broken.last().unwrap();
    assert_eq!((&error["event"], &error["code"]), (&json!("error"), &json!("service_unavailable")), "{error}");
    let status = broken_over_grpc.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Unavailable, "service_unavailable"));

    let left = TERMINATION_GRACE_PERIOD.saturating_sub(signalled.elapsed());
    let child = &mut server.process.0;
    let status = tokio::task::block_in_place(|| process::wait_for_exit_within(child, left));
    assert!(status.is_some_and(|status| status.success()), "{status:?} after {:?}", signalled.elapsed());

    let statuses = rows(data.path(), "SELECT status FROM workflow_runs ORDER BY status").await;
    assert_eq!(statuses, ["stopped", "succeeded"]);
    let of = |app: &str| format!("SELECT coalesce(error, '') FROM messages WHERE app_id = '{}'", user.apps[app]);
    assert_eq!(rows(data.path(), &of("Parrot")).await, ["The server stopped."]);
    assert_eq!(rows(data.path(), &of("Detective")).await, [""]);
}
