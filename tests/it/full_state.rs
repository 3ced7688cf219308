//! State in process is bounded: where there is no room, a request is turned away, and what is over makes room.

use std::sync::Arc;

use dify_openapi::testing::{rpc::proto::CreateDeviceCodeRequest, store::state::memory::Memory};
use serde_json::json;
use tonic::transport::Channel;

use crate::support::{
    Answer, Stores, TestServer,
    cli_device::{CODE, TOKEN},
    grpc::{Clients, reason},
};

/// A server whose addresses are told by a proxy, and the URL of another on its database with this much room.
async fn with_room(grants: usize, buckets: usize) -> (TestServer, String) {
    let server = TestServer::start_with(Stores::Sqlite, &[("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let state = Arc::new(Memory::with_bounds(Arc::new(server.clock.clone()), grants, buckets));
    let url = server.replica_with_state(state).await;
    (server, url)
}

async fn ask(url: &str, address: &str) -> Answer {
    let request = reqwest::Client::new().post(format!("{url}{CODE}")).header("x-forwarded-for", address);
    Answer::to(request.json(&json!({"client_id": "difyctl"}))).await
}

fn assert_full(answer: &Answer) {
    assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()), "{}", answer.text);
    assert_eq!(answer.json()["error"], "temporarily_unavailable", "also in OAuth's words");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sign_ins_at_a_time_than_fit_are_turned_away_until_some_are_over() {
    let (server, url) = with_room(3, 100).await;
    let first = ask(&url, "192.0.2.1").await;
    for _ in 0..2 {
        assert_eq!(ask(&url, "192.0.2.1").await.status, 200);
    }
    assert_full(&ask(&url, "192.0.2.1").await);
    let channel = Channel::from_shared(url.clone()).unwrap().connect().await.unwrap();
    let request = CreateDeviceCodeRequest { client_id: "difyctl".to_owned(), ..Default::default() };
    let status = Clients::on(channel).device_flow.create_device_code(request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (tonic::Code::Unavailable, "service_unavailable"));

    // Those that are under way go on.
    let poll = json!({"client_id": "difyctl", "device_code": first.json()["device_code"]});
    let poll = Answer::to(reqwest::Client::new().post(format!("{url}{TOKEN}")).json(&poll)).await;
    assert_eq!(poll.json()["error"], "authorization_pending");

    server.advance(first.json()["expires_in"].as_i64().unwrap() + 1);
    for _ in 0..3 {
        assert_eq!(ask(&url, "192.0.2.1").await.status, 200);
    }
    assert_full(&ask(&url, "192.0.2.1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_addresses_at_a_time_than_can_be_counted_are_turned_away_until_some_may_be_forgotten() {
    let (server, url) = with_room(100, 2).await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        assert_eq!(ask(&url, address).await.status, 200);
    }
    assert_full(&ask(&url, "192.0.2.3").await);
    assert_eq!(ask(&url, "192.0.2.1").await.status, 200, "a bucket that is there is counted in");
    // Sixty an hour: the one of the first address is empty after two minutes, the other after one.
    server.advance(61);
    assert_eq!(ask(&url, "192.0.2.3").await.status, 200);
    assert_full(&ask(&url, "192.0.2.2").await);
}
