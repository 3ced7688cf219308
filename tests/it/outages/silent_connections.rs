//! Connections that become silent without being closed while new ones work, as after a power loss, a firewall reset or
//! a failover.

use super::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_are_replaced() {
    let Some(deployment) = Deployment::start().await else { return };
    // Opens every connection of the pools.
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
