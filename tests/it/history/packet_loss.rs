//! A replica whose network loses what is sent to a store, or what the store sends.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{deployment::Deployment, requests::ACCOUNT};
use crate::support::{
    Bearer, Browser, Device,
    network::{Loss, in_network, is_in_network},
    server::OWNER,
};

const LOSSES: [Loss; 3] = [Loss::Requests, Loss::Replies, Loss::Both];

/// A deployment in a network of its own; `None` where the test ran in another process, or cannot run.
async fn start(test: &str) -> Option<Deployment> {
    if in_network(&format!("history::packet_loss::{test}")).is_some() || !is_in_network() {
        return None;
    }
    Deployment::start().await
}

/// Waits until the second replica responds with this status.
async fn wait_for(bearer: &Bearer, path: &str, status: u16) {
    let mut last = (0, json!(null));
    for _ in 0..300 {
        last = bearer.get(path).await;
        if last.0 == status {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no {status}: {last:?}");
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
        assert_eq!(bearer.at(&other.server).get(ACCOUNT).await.0, 200, "{loss:?}");
        assert_eq!(Device::request_codes(&other.server, &codes).await.status, 503, "{loss:?}");
        assert_eq!(Device::request_codes(&one.server, &codes).await.status, 200, "{loss:?}");
        host.to_redis.repair(loss);
        let mut status = 0;
        for _ in 0..300 {
            status = Device::request_codes(&other.server, &codes).await.status;
            if status == 200 {
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status, 200, "{loss:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_loses_packets_of_postgres_refuses_and_recovers() {
    let Some(deployment) = start("replica_that_loses_packets_of_postgres_refuses_and_recovers").await else { return };
    let ([one, other], host) = (&deployment.replicas, deployment.host.as_ref().unwrap());
    let bearer = Bearer::sign_in(&one.server, OWNER, "laptop").await;
    // Reads SQL each time.
    let sessions = super::requests::SESSIONS;
    for loss in LOSSES {
        assert_eq!(bearer.at(&other.server).get(sessions).await.0, 200, "{loss:?}");
        host.to_postgres.lose(loss);
        assert_eq!(bearer.at(&other.server).get(sessions).await.0, 503, "{loss:?}");
        assert_eq!(bearer.get(sessions).await.0, 200, "{loss:?}");
        host.to_postgres.repair(loss);
        wait_for(&bearer.at(&other.server), sessions, 200).await;
    }
}
