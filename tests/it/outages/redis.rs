//! Redis outages: bearer tokens work through SQL, and the device flow returns 503.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Deployment, RECOVERY_LIMIT, assert_outcomes, requests};
use crate::support::{Answer, Device, redis_process::RedisProcess};

/// The outcomes while Redis does not respond.
const WITHOUT_REDIS: [(&str, &str); 20] = [
    ("health", "200 ok"),
    ("account", "200 ok"),
    ("account, gRPC", "200 ok"),
    ("sessions", "200 ok"),
    ("workspaces", "200 ok"),
    ("account, cold", "200 ok"),
    ("account, revoked", "401 bearer_invalid"),
    ("account, unknown", "401 bearer_invalid"),
    ("introspect", "200 active true"),
    ("introspect, revoked", "200 active false"),
    ("code", "503 service_unavailable"),
    ("poll, pending", "503 service_unavailable"),
    ("poll, approved", "503 service_unavailable"),
    ("lookup", "503 service_unavailable"),
    ("approve", "503 service_unavailable"),
    ("deny", "503 service_unavailable"),
    ("revoke", "503 service_unavailable"),
    ("revoke, by its holder", "503 service_unavailable"),
    ("profile", "200 ok"),
    ("login", "503 service_unavailable"),
];

/// Checks that tokens revoked in SQL are rejected, also right after Redis returns with old entries.
async fn assert_revoked_tokens_stay_rejected(deployment: &Deployment) {
    for _ in 0..40 {
        for bearer in [&deployment.revoked_by_owner, &deployment.revoked_by_holder] {
            let answer = Answer::to(bearer.request(reqwest::Method::GET, requests::ACCOUNT)).await;
            assert_eq!(answer.outcome(), (401, "bearer_invalid".to_owned()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_redis_degrades_and_recovers_empty() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.redis.kill();
    assert_outcomes(&deployment.send_all().await, &WITHOUT_REDIS);
    // Again, after the server has noticed the outage.
    assert_outcomes(&deployment.send_all().await, &WITHOUT_REDIS);
    deployment.redis.restart().await;
    assert_revoked_tokens_stay_rejected(&deployment).await;
    deployment.assert_recovers(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_redis_degrades_and_recovers() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.redis.pause();
    assert_outcomes(&deployment.send_all().await, &WITHOUT_REDIS);
    assert_outcomes(&deployment.send_all().await, &WITHOUT_REDIS);
    deployment.redis.resume();
    assert_revoked_tokens_stay_rejected(&deployment).await;
    deployment.assert_recovers(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_during_a_pause_of_redis_do_not_lock_the_account() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.redis.pause();
    // As many as wrong passwords that lock the account for this address.
    let logins = (0..5).map(|_| requests::outcome("login", deployment.login()));
    for outcome in futures_util::future::join_all(logins).await {
        assert_eq!(outcome.code, "503 service_unavailable");
    }
    deployment.redis.resume();
    deployment.wait_until_healthy().await;
}

/// The old master is reachable, and the address leads new connections to its successor.
#[tokio::test(flavor = "multi_thread")]
async fn master_that_lost_its_replicas_is_left_for_its_successor() {
    let (Some(deployment), Some(successor)) = (Deployment::start().await, RedisProcess::start().await) else { return };
    assert_eq!(deployment.redis.ask("config set min-replicas-to-write 1").trim(), "OK");
    deployment.redis_proxy.set_target(successor.port);
    let body = json!({"client_id": "difyctl"});
    let mut answer = Device::request_codes(&deployment.server, &body).await;
    assert_eq!(answer.outcome(), (503, "service_unavailable".to_owned()), "{}", answer.text);
    let began = Instant::now();
    while answer.status != 200 {
        assert!(began.elapsed() < RECOVERY_LIMIT, "{}", answer.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = Device::request_codes(&deployment.server, &body).await;
    }
    deployment.assert_recovers(false).await;
}
