//! Connections that go silent while the server, or whoever has taken its place, takes new ones: a machine that lost its
//! power, a firewall that forgot, a database that moved. No word of it ever comes.

use super::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_given_up_for_new_ones() {
    let Some(scene) = Scene::set().await else { return };
    // Every connection there may be.
    for _ in 0..3 {
        scene.heals().await;
    }
    scene.to_postgres.cut();
    scene.heals().await;
    scene.to_redis.cut();
    scene.heals().await;
    scene.to_postgres.cut();
    scene.to_redis.cut();
    scene.ends_well(true).await;
}
