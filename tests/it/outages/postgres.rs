//! PostgreSQL: 503 wherever it is needed, and whatever needs it not goes on.

use super::{Scene, act, assert_outcomes};
use crate::support::Answer;

/// What everything comes to while PostgreSQL does not answer.
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

/// Everything while it is away, and that the process does not want requests meanwhile.
async fn assert_promises(scene: &Scene) {
    assert_outcomes(&scene.everything().await, &WITHOUT_SQL);
    let ready = Answer::to(reqwest::Client::new().get(scene.server.admin("/readyz"))).await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    // Nobody is locked out for passwords that nobody could look at.
    for _ in 0..5 {
        assert_eq!(act::outcome("login", scene.login()).await.code, "503 service_unavailable");
    }
}

/// The approved grant stayed approved, and a session that could not be revoked lives.
async fn assert_nothing_lost(scene: &Scene) {
    scene.heals().await;
    for bearer in [&scene.lost, &scene.shed] {
        assert_eq!(bearer.get(act::ACCOUNT).await.0, 200);
    }
    // The interval between polls passes.
    scene.server.advance(6);
    let (status, body) = scene.approved.poll().await;
    assert_eq!(status, 200, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back() {
    let Some(scene) = Scene::set().await else { return };
    scene.postgres.kill();
    assert_promises(&scene).await;
    scene.postgres.bring_back().await;
    assert_nothing_lost(&scene).await;
    scene.ends_well(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_back() {
    let Some(scene) = Scene::set().await else { return };
    scene.postgres.pause();
    assert_promises(&scene).await;
    scene.postgres.go_on();
    assert_nothing_lost(&scene).await;
    scene.ends_well(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_away() {
    let Some(scene) = Scene::set().await else { return };
    scene.redis.kill();
    scene.postgres.pause();
    for outcome in scene.everything().await {
        let expected = if outcome.what == "health" { "200 ok" } else { "503 service_unavailable" };
        assert_eq!(outcome.code, expected, "{}", outcome.what);
    }
    scene.postgres.go_on();
    scene.redis.bring_back().await;
    scene.ends_well(false).await;
}
