//! State in the process has bounds: a request that needs more room receives 503 until old entries expire. Definitions
//! of apps have the memory of the ledger.

use std::sync::Arc;

use dify_openapi::testing::{ports::Clock, rpc::proto::CreateDeviceCodeRequest, store::bounded_in_process_stores};
use reqwest::Method;
use serde_json::json;
use tonic::transport::Channel;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    cli_device::{CODE, TOKEN},
    grpc::{Clients, reason},
    server::OWNER,
};

/// A server that trusts a local proxy, and the URL of a second one on the same database with these bounds.
async fn start_with_bounds(grants: usize, buckets: usize) -> (TestServer, String) {
    let server = TestServer::start_with(Stores::Sqlite, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let clock: Arc<dyn Clock> = Arc::new(server.clock.clone());
    let url = server.replica_with_state(bounded_in_process_stores(&clock, grants, buckets)).await;
    (server, url)
}

async fn request_codes(url: &str, address: &str) -> Answer {
    let request = reqwest::Client::new().post(format!("{url}{CODE}")).header("x-forwarded-for", address);
    Answer::to(request.json(&json!({"client_id": "difyctl"}))).await
}

fn assert_full(answer: &Answer) {
    assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()), "{}", answer.text);
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "the OAuth error is included");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_grant_store_returns_503_until_grants_expire() {
    let (server, url) = start_with_bounds(3, 100).await;
    let first = request_codes(&url, "192.0.2.1").await;
    for _ in 0..2 {
        assert_eq!(request_codes(&url, "192.0.2.1").await.status, 200);
    }
    assert_full(&request_codes(&url, "192.0.2.1").await);
    let channel = Channel::from_shared(url.clone()).unwrap().connect().await.unwrap();
    let request = CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), ..Default::default() };
    let status = Clients::on(channel).device_flow.create_device_code(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Unavailable, "service_unavailable"));

    // Pending grants continue.
    let poll = json!({"client_id": "difyctl", "device_code": first.json()["device_code"]});
    let poll = Answer::to(reqwest::Client::new().post(format!("{url}{TOKEN}")).json(&poll)).await;
    assert_eq!(poll.json()["error"], "authorization_pending");

    server.advance(first.json()["expires_in"].as_i64().unwrap() + 1);
    for _ in 0..3 {
        assert_eq!(request_codes(&url, "192.0.2.1").await.status, 200);
    }
    assert_full(&request_codes(&url, "192.0.2.1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_rate_limit_store_returns_503_until_buckets_are_empty() {
    let (server, url) = start_with_bounds(100, 2).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(request_codes(&url, address).await.status, 200);
    }
    assert_full(&request_codes(&url, "192.0.2.3").await);
    assert_eq!(request_codes(&url, "192.0.2.1").await.status, 200, "existing buckets still count");
    // At sixty an hour, the bucket of the first address is empty after two minutes and that of the second after one.
    server.advance(61);
    assert_eq!(request_codes(&url, "192.0.2.3").await.status, 200);
    assert_full(&request_codes(&url, "192.0.2.2").await);
}

on_both_stores!(definition_that_needs_too_much_memory_is_not_parsed);

async fn definition_that_needs_too_much_memory_is_not_parsed(stores: Stores) {
    let server = TestServer::start_with(stores, &[("MEMORY_LIMIT_MIB", "128")]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let workspace = apps::shared_workspace(&server).await;
    for (name, lists, status) in [("Ordinary", 10, 200), ("Heavy", 200_000, 413)] {
        let app = apps::insert(&server, &workspace, name, "workflow", 0).await;
        let mut graph = apps::form_graph(&json!([]));
        graph["nodes"][0]["data"]["extra"] = json!(vec![json!([]); lists]);
        apps::publish(&server, &app, &graph, &json!({})).await;
        let (found, body) = bearer.get(&format!("/openapi/v1/apps/{app}/describe?fields=parameters")).await;
        assert_eq!(found, status, "{name}: {body}");
        let run = bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/run"));
        let run = Answer::to(run.json(&json!({"inputs": {}}))).await;
        assert_eq!(run.status == 413, status == 413, "{name}: {}", run.text);
        // Without the definition.
        assert_eq!(bearer.get(&format!("/openapi/v1/apps/{app}/describe?fields=info")).await.0, 200);
    }
}
