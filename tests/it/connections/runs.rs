//! `http-request` nodes that name a connection for their authorization.

use axum::{Router, http::HeaderMap, routing::get};
use tokio::net::TcpListener;

use super::*;
use crate::support::{
    Bearer,
    logs::Logs,
    runs::{graph_app, over_grpc, streamed},
};

on_both_stores!(run_uses_and_refreshes_the_token_of_a_shared_connection, run_uses_only_shared_connections);

/// A server that returns the authorization that it has received. Returns its URL.
async fn echo() -> String {
    let answer = |headers: HeaderMap| async move { headers["authorization"].to_str().unwrap().to_owned() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/echo", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().route("/echo", get(answer))).into_future());
    url
}

/// An app that sends a request with a connection. The graph compares what the server has received with `expected`,
/// because no output contains the token.
async fn app(server: &TestServer, url: &str, connection: &str) -> String {
    let request = json!({"id": "ask", "data": {"type": "http-request", "title": "Ask", "method": "get", "url": url,
        "authorization": {"type": "connection", "config": {"provider": PROVIDER, "credential_id": connection}},
        "headers": "", "params": "", "body": {"type": "none", "data": []}}});
    let end = json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [{"variable": "said", "value_selector": ["ask", "body"]}]}});
    graph_app(server, "workflow", &[request, end]).await
}

async fn run_uses_and_refreshes_the_token_of_a_shared_connection(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let logs = Logs::capture();
    let mut member = server.browser(MEMBER).await;
    let id = member.connect().await;
    let share = json!({"credential_id": id, "visibility": "all_team_members"});
    assert_eq!(member.post(&provider_path("update"), &share).await.0, 200);
    let body = json!({"tenant_id": server.workspace().await, "provider": PROVIDER, "credential_id": id});
    let url = echo().await;
    let app = app(&server, &url, &id).await;
    let mut tokens = Vec::new();
    for seconds in [0, 3_600 - 30] {
        server.advance(seconds);
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        let inputs = json!({"inputs": {"name": "Ann"}});
        let over_json = streamed(&bearer, &app, inputs.clone()).await;
        let values = server.service("credentials", &body).await.json()["values"].clone();
        let token = values["access_token"].as_str().unwrap().to_owned();
        for events in [over_json, over_grpc(&server, &bearer, &app, &inputs).await.unwrap()] {
            let text = json!(events).to_string();
            assert_eq!(events.last().unwrap()["data"]["outputs"], json!({"said": "Bearer ****"}), "{text}");
            assert!(text.contains("Authorization: ****") && !text.contains(&token), "{text}");
        }
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1], "the run has refreshed the token");
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (1, 0));
    let rows = crate::support::database::dump(&server).await;
    for token in &tokens {
        assert!(!rows.contains(token.as_str()) && logs.matching(&[token]).is_empty());
    }
    assert!(!logs.matching(&["connection.credentials_read", "reader=\"run\""]).is_empty());
}

async fn run_uses_only_shared_connections(stores: Stores) {
    let server = ConnectionServer::start(stores).await;
    let mut owner = server.browser(OWNER).await;
    let private = owner.connect().await;
    let url = echo().await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    for connection in [private.as_str(), "0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55"] {
        let app = app(&server, &url, connection).await;
        let events = streamed(&bearer, &app, json!({"inputs": {"name": "Ann"}})).await;
        let run = &events.last().unwrap()["data"];
        assert_eq!(run["status"], "failed", "{run}");
    }
    assert_eq!(server.provider.refreshes(), 0);
}
