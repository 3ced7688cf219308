//! PostgreSQL outages: requests that need it return 503, and all others work.

use super::{Deployment, assert_outcomes, requests};
use crate::support::Answer;

/// The outcomes while PostgreSQL does not respond.
const WITHOUT_SQL: [(&str, &str); 20] = [
    ("health", "200 ok"),
    ("account", "503 service_unavailable"),
    ("account, gRPC", "503 service_unavailable"),
    ("sessions", "503 service_unavailable"),
    ("workspaces", "503 service_unavailable"),
    ("account, cold", "503 service_unavailable"),
    ("account, revoked", "503 service_unavailable"),
    ("account, unknown", "503 service_unavailable"),
    ("introspect", "200 active true"),
    ("introspect, revoked", "503 service_unavailable"),
    ("code", "200 ok"),
    ("poll, pending", "400 authorization_pending"),
    ("poll, approved", "503 service_unavailable"),
    ("lookup", "200 ok"),
    ("approve", "503 service_unavailable"),
    ("deny", "503 service_unavailable"),
    ("revoke", "503 service_unavailable"),
    ("revoke, by its holder", "503 service_unavailable"),
    ("profile", "503 service_unavailable"),
    ("login", "503 service_unavailable"),
];

/// Checks all outcomes during the outage, and that readiness fails.
async fn assert_degraded(deployment: &Deployment) {
    assert_outcomes(&deployment.send_all().await, &WITHOUT_SQL);
    let ready = Answer::to(reqwest::Client::new().get(deployment.server.admin("/readyz"))).await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    // Passwords that could not be checked do not count for the lockout.
    for _ in 0..5 {
        assert_eq!(requests::outcome("login", deployment.login()).await.code, "503 service_unavailable");
    }
}

/// Checks that the approved grant and the sessions that could not be revoked still exist.
async fn assert_state_is_kept(deployment: &Deployment) {
    deployment.wait_until_healthy().await;
    for bearer in [&deployment.revoked_by_owner, &deployment.revoked_by_holder] {
        assert_eq!(bearer.get(requests::ACCOUNT).await.0, 200);
    }
    // Lets the polling interval pass.
    deployment.server.advance(6);
    let (status, body) = deployment.approved.poll().await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_postgres_returns_503_and_recovers() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.postgres.kill();
    assert_degraded(&deployment).await;
    deployment.postgres.restart().await;
    assert_state_is_kept(&deployment).await;
    deployment.assert_recovers(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_postgres_returns_503_and_recovers() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.postgres.pause();
    assert_degraded(&deployment).await;
    deployment.postgres.resume();
    assert_state_is_kept(&deployment).await;
    deployment.assert_recovers(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_and_postgres_outage_returns_503_and_recovers() {
    let Some(deployment) = Deployment::start().await else { return };
    deployment.redis.kill();
    deployment.postgres.pause();
    for outcome in deployment.send_all().await {
        let expected = if outcome.what == "health" { "200 ok" } else { "503 service_unavailable" };
        assert_eq!(outcome.code, expected, "{}", outcome.what);
    }
    deployment.postgres.resume();
    deployment.redis.restart().await;
    deployment.assert_recovers(false).await;
}
