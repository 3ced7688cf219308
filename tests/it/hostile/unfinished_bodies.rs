//! Bodies that one address leaves unfinished before it is authenticated: their number is limited, and others are
//! served.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::JoinSet, time};

use crate::support::{Answer, Bearer, Stores, TestServer, cli_device::TOKEN, server::OWNER};

/// With so little memory one address may have 204 requests under way, and half as many unfinished bodies.
const MEMORY_MIB: &str = "64";
const BODIES: usize = 102;
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
/// Longer than the server takes to answer, and shorter than it waits for a body.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

async fn connect(server: &TestServer) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(server.running().bound.public).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { _ = connection.await });
    sender
}

/// Sends the beginning of a body. Returns the status and the code of the answer, or `None` while the server waits for
/// the rest.
async fn begin(sender: SendRequest<Bytes>, request: Request<()>) -> Option<(u16, Value)> {
    let mut sender = sender.ready().await.unwrap();
    let (response, mut stream) = sender.send_request(request, false).unwrap();
    stream.send_data(Bytes::from_static(b"{"), false).unwrap();
    let Ok(response) = time::timeout(ANSWER_TIMEOUT, response).await else {
        // Stays open until the test ends.
        std::mem::forget(stream);
        return None;
    };
    let response = response.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().data().await.unwrap().unwrap();
    Some((status, serde_json::from_slice::<Value>(&body).unwrap()["code"].clone()))
}

on_both_stores!(unfinished_bodies_of_one_address_leave_places_to_others);

async fn unfinished_bodies_of_one_address_leave_places_to_others(stores: Stores) {
    let server = TestServer::start_with(stores, &[("MEMORY_LIMIT_MIB", MEMORY_MIB)]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    let mut begun = JoinSet::new();
    for _ in 0..2 {
        let sender = connect(&server).await;
        for _ in 0..90 {
            let request = Request::post(server.at(TOKEN)).header("content-type", "application/json").body(()).unwrap();
            begun.spawn(begin(sender.clone(), request));
        }
    }
    let answers = begun.join_all().await;
    let refused: Vec<_> = answers.iter().flatten().collect();
    assert!(refused.iter().all(|answer| **answer == (429, json!("rate_limited"))), "{refused:?}");
    assert_eq!(answers.len() - refused.len(), BODIES);

    let other = reqwest::Client::builder().local_address(OTHER).build().unwrap();
    let poll = json!({"client_id": "difyctl", "device_code": "dc_unknown"});
    assert_eq!(Answer::to(other.post(server.at(TOKEN)).json(&poll)).await.json()["error"], "expired_token");
    // Callers with a token do not need a place of their address.
    let run = bearer.request(Method::POST, "/openapi/v1/apps/none/run").json(&json!({"inputs": {}}));
    assert_eq!(Answer::to(run).await.status, 404);
}
