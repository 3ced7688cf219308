//! Connections that go silent while the server, or whoever has taken its place, takes new ones: a machine that lost its
//! power, a firewall that forgot, a database that moved. No word of it ever comes.

use super::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_replaced() {
    let Some(deployment) = Deployment::start().await else { return };
    // Every connection there may be.
    for _ in 0..3 {
        deployment.wait_until_healthy().await;
    }
    deployment.postgres_proxy.cut();
    deployment.wait_until_healthy().await;
    deployment.redis_proxy.cut();
    deployment.wait_until_healthy().await;
    deployment.postgres_proxy.cut();
    deployment.redis_proxy.cut();
    deployment.assert_recovers(true).await;
}
