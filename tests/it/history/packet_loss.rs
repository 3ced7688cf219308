//! A replica whose network loses what is sent to a store, or what the store sends.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::{
    deployment::Deployment,
    requests::{ACCOUNT, SESSIONS},
};
use crate::support::{Answer, Bearer, Browser, Device, TestServer, namespace::Namespace, network::Loss, server::OWNER};

const LOSSES: [Loss; 3] = [Loss::Requests, Loss::Replies, Loss::Both];

/// A deployment in a network of its own; `None` where the test ran in another process, or cannot run.
async fn start(test: &str) -> Option<Deployment> {
    if Namespace::Network.repeats(&format!("history::packet_loss::{test}")) || !Namespace::Network.is_here() {
        return None;
    }
    Deployment::start().await
}

/// Repeats a request until it has this status: a store may need a moment, above all on a busy machine.
async fn wait_for<F: Future<Output = Answer>>(status: u16, request: impl Fn() -> F) {
    let mut answer = request().await;
    for _ in 0..300 {
        if answer.status == status {
            return;
        }
        sleep(Duration::from_millis(100)).await;
        answer = request().await;
    }
    panic!("no {status}: {} {}", answer.status, answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_loses_packets_of_redis_serves_bearers_and_recovers() {
    let Some(deployment) = start("replica_that_loses_packets_of_redis_serves_bearers_and_recovers").await else {
        return;
    };
    let ([one, other], host) = (&deployment.replicas, deployment.host.as_ref().unwrap());
    let browser = Browser::signed_in(&one.server, OWNER).await;
    let bearer = Bearer::sign_in_with(&one.server, &browser, "laptop").await;
    let codes = json!({"client_id": "difyctl", "device_label": "phone"});
    for loss in LOSSES {
        host.to_redis.lose(loss);
        // Bearers are checked in SQL.
        wait_for(200, || Answer::to(bearer.at(&other.server).request(Method::GET, ACCOUNT))).await;
        assert_eq!(Device::request_codes(&other.server, &codes).await.status, 503, "{loss:?}");
        wait_for(200, || Device::request_codes(&one.server, &codes)).await;
        host.to_redis.repair(loss);
        wait_for(200, || Device::request_codes(&other.server, &codes)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_loses_packets_of_postgres_refuses_and_recovers() {
    let Some(deployment) = start("replica_that_loses_packets_of_postgres_refuses_and_recovers").await else { return };
    let ([one, other], host) = (&deployment.replicas, deployment.host.as_ref().unwrap());
    let bearer = Bearer::sign_in(&one.server, OWNER, "laptop").await;
    // Reads SQL each time.
    let list = |server: &TestServer| Answer::to(bearer.at(server).request(Method::GET, SESSIONS));
    for loss in LOSSES {
        wait_for(200, || list(&other.server)).await;
        host.to_postgres.lose(loss);
        assert_eq!(list(&other.server).await.status, 503, "{loss:?}");
        wait_for(200, || list(&one.server)).await;
        host.to_postgres.repair(loss);
        wait_for(200, || list(&other.server)).await;
    }
}
