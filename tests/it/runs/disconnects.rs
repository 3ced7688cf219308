//! A disconnect cancels the run and its status is stored.

use serde_json::json;

use crate::support::{
    Bearer, Stores, TestServer, database,
    runs::{answer, graph_app, open_stream, over_grpc, prompt_app, request, send_over_socket, wait_for_running},
    server::OWNER,
};

/// A node that sends the model a long prompt.
fn model_node() -> serde_json::Value {
    json!({"id": "greet", "data": {"type": "llm", "title": "Talk",
        "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}], "memory": null,
        "context": {"enabled": false, "variable_selector": []}}})
}

async fn slow_app(server: &TestServer) -> String {
    let mut node = answer();
    node["data"]["answer"] = json!("{{#greet.text#}}");
    graph_app(server, "advanced-chat", &[model_node(), node]).await
}

fn many_words() -> serde_json::Value {
    let words = (0..2_000).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ");
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

async fn stored_status(server: &TestServer) -> Option<String> {
    database::text(server, "SELECT status FROM workflow_runs").await
}

async fn wait_for_status(server: &TestServer, expected: &str) {
    for _ in 0..200 {
        if stored_status(server).await.as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the run is stored as {:?}", stored_status(server).await);
}

on_both_stores!(
    disconnect_cancels_a_streaming_run,
    disconnect_over_grpc_cancels_a_streaming_run,
    disconnect_cancels_a_blocking_run,
    disconnect_over_grpc_cancels_a_blocking_run,
    grpc_deadline_ends_the_run
);

async fn disconnect_cancels_a_streaming_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut response = request(&bearer, &app, &many_words()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    wait_for_status(&server, "stopped").await;
}

async fn disconnect_over_grpc_cancels_a_streaming_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut stream = open_stream(&server, &bearer, &app, &many_words()).await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    drop(stream);
    wait_for_status(&server, "stopped").await;
}

async fn disconnect_cancels_a_blocking_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut body = many_words();
    body["response_mode"] = json!("blocking");
    let socket = send_over_socket(&server, &bearer, &app, &body).await;
    wait_for_running(&server, 1).await;
    drop(socket);
    wait_for_status(&server, "stopped").await;
    wait_for_running(&server, 0).await;
}

async fn disconnect_over_grpc_cancels_a_blocking_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20")]).await;
    let app = slow_app(&server).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut body = many_words();
    body["response_mode"] = json!("blocking");
    tokio::select! {
        answer = over_grpc(&server, &bearer, &app, &body) => panic!("the run ended: {answer:?}"),
        () = wait_for_running(&server, 1) => {}
    }
    wait_for_status(&server, "stopped").await;
    wait_for_running(&server, 0).await;
}

async fn grpc_deadline_ends_the_run(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ECHO_PACE_MS", "20")]).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut clients = crate::support::grpc::Clients::on(crate::support::grpc::channel(&server).await);
    let message = crate::support::runs::message(&app, &many_words());
    let mut request = crate::support::grpc::with_bearer(message, &bearer.token);
    request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
    let mut stream = clients.app.run_app(request).await.unwrap().into_inner();
    let error = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the run ended without an error"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
}
