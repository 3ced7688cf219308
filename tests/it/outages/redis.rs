//! Redis: bearers go on through SQL, the device flow says when to come again.

use super::{Scene, act, assert_outcomes};
use crate::support::Answer;

/// What everything comes to while Redis does not answer.
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

/// What was revoked in SQL is dead here, though its entry still reads otherwise: also in the moment Redis is back.
async fn assert_dead_from_the_first_moment(scene: &Scene) {
    for _ in 0..40 {
        for bearer in [&scene.lost, &scene.shed] {
            let answer = Answer::to(bearer.request(reqwest::Method::GET, act::ACCOUNT)).await;
            assert_eq!(answer.outcome(), (401, "bearer_invalid".to_owned()));
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_back_empty() {
    let Some(scene) = Scene::set().await else { return };
    scene.redis.kill();
    assert_outcomes(&scene.everything().await, &WITHOUT_REDIS);
    // The same once everybody has noticed.
    assert_outcomes(&scene.everything().await, &WITHOUT_REDIS);
    scene.redis.bring_back().await;
    assert_dead_from_the_first_moment(&scene).await;
    scene.ends_well(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_and_back_as_it_was() {
    let Some(scene) = Scene::set().await else { return };
    scene.redis.pause();
    assert_outcomes(&scene.everything().await, &WITHOUT_REDIS);
    assert_outcomes(&scene.everything().await, &WITHOUT_REDIS);
    scene.redis.go_on();
    assert_dead_from_the_first_moment(&scene).await;
    scene.ends_well(true).await;
}
