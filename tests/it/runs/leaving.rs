//! Who leaves a run ends it, and what became of it is stored; so does the process that is told to stop.

use serde_json::json;

use crate::support::{
    Bearer, TestServer, database,
    runs::{answer, events, graph_app, open, prompt_app, request},
    server::OWNER,
};

/// A node that asks the model for many words.
fn talk() -> serde_json::Value {
    json!({"id": "greet", "data": {"type": "llm", "title": "Talk", "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}], "memory": null, "context": {"enabled": false, "variable_selector": []}}})
}

fn many_words() -> serde_json::Value {
    let words = (0..2_000).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ");
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

async fn stored(server: &TestServer) -> Option<String> {
    database::text(server, "SELECT status FROM workflow_runs").await
}

async fn comes_to_be(server: &TestServer, expected: &str) {
    for _ in 0..200 {
        if stored(server).await.as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the run is stored as {:?}", stored(server).await);
}

on_both_stores! {
    async fn hanging_up_cancels_and_the_run_is_stored_as_stopped(server: TestServer) with ["ECHO_PACE_MS" = "20"] {
        let mut node = answer();
        node["data"]["answer"] = json!("{{#greet.text#}}");
        let app = graph_app(&server, "advanced-chat", &[talk(), node]).await;
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        let mut response = request(&bearer, &app, &many_words()).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.chunk().await.unwrap().is_some());
        drop(response);
        comes_to_be(&server, "stopped").await;
    }

    async fn the_same_over_grpc(server: TestServer) with ["ECHO_PACE_MS" = "20"] {
        let mut node = answer();
        node["data"]["answer"] = json!("{{#greet.text#}}");
        let app = graph_app(&server, "advanced-chat", &[talk(), node]).await;
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        let mut stream = open(&server, &bearer, &app, &many_words()).await.unwrap();
        assert!(stream.message().await.unwrap().is_some());
        drop(stream);
        comes_to_be(&server, "stopped").await;
    }

    async fn a_deadline_over_grpc_ends_the_run(server: TestServer) with ["ECHO_PACE_MS" = "20"] {
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
                Ok(None) => panic!("it ran to its end"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.code(), tonic::Code::DeadlineExceeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_ends_its_streams_with_an_error_event() {
    let server = TestServer::start_with(crate::support::Stores::Sqlite, &[("ECHO_PACE_MS", "20")]).await;
    let app = prompt_app(&server, "chat").await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut response = request(&bearer, &app, &many_words()).send().await.unwrap();
    let mut text = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    server.running().app.run_tasks().end.cancel();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text += core::str::from_utf8(&chunk).unwrap();
    }
    assert_eq!(events(&text).last().unwrap()["event"], "error", "{text}");
}
