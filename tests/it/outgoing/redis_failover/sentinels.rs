//! A master that is killed, and a replica that sentinels promote.

use super::traffic::Traffic;
use crate::support::{
    Bearer, Stores, TestServer,
    redis_process::RedisProcess,
    server::{OWNER, no_limits},
    tcp_proxy::{self, TcpProxy},
};

/// How a sentinel watches the master.
const WATCH: &str = "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n\
                     sentinel resolve-hostnames no";

/// A master with replicas, and three sentinels of which two have to agree.
struct WatchedMaster {
    master: RedisProcess,
    replicas: Vec<RedisProcess>,
    sentinels: Vec<RedisProcess>,
}

impl WatchedMaster {
    /// Returns `None` with a message when the tests have no servers.
    async fn start(replicas: usize) -> Option<Self> {
        let mut deployment = Self { master: RedisProcess::start().await?, replicas: Vec::new(), sentinels: Vec::new() };
        let port = deployment.master.port;
        for _ in 0..replicas {
            deployment.replicas.push(RedisProcess::start_replica(port).await?);
        }
        for _ in 0..3 {
            let configuration = format!("sentinel monitor mymaster 127.0.0.1 {port} 2\n{WATCH}");
            deployment.sentinels.push(RedisProcess::start_sentinel(&configuration).await?);
        }
        // Each sentinel finds the others and the replicas through the master.
        for sentinel in &deployment.sentinels {
            let expected = [("num-other-sentinels", 2), ("num-slaves", replicas)];
            sentinel
                .wait_for("sentinel master mymaster", |state| {
                    expected.iter().all(|(name, count)| state.contains(&format!("{name}\n{count}\n")))
                })
                .await;
        }
        Some(deployment)
    }

    fn addresses(&self) -> String {
        let addresses = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port));
        addresses.collect::<Vec<_>>().join(",")
    }
}

async fn start_server(sentinels: &str, variables: &[(&str, &str)]) -> Option<TestServer> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    let stores = Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() };
    let limits = no_limits();
    let own = [
        ("REDIS_USE_SENTINEL", "true"),
        ("REDIS_SENTINELS", sentinels),
        ("REDIS_SENTINEL_SERVICE_NAME", "mymaster"),
        ("OPENAPI_RATE_LIMITS", &limits),
    ];
    Some(TestServer::start_with(stores, &[&own, variables].concat()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_survive_the_promotion_of_a_replica_by_sentinels() {
    let Some(deployment) = WatchedMaster::start(2).await else { return };
    let Some(server) = start_server(&deployment.addresses(), &[("REDIS_WAIT_REPLICAS", "1")]).await else { return };
    Traffic::new(&server).during(async { deployment.master.kill() }).await;
    let is_master = |replica: &&RedisProcess| replica.ask("info replication").contains("role:master");
    assert_eq!(deployment.replicas.iter().filter(is_master).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinel_that_does_not_respond_delays_no_sign_in() {
    let Some(deployment) = WatchedMaster::start(1).await else { return };
    let silent = TcpProxy::to(deployment.sentinels[0].port).await;
    silent.set_traffic(tcp_proxy::Traffic::Nothing);
    let addresses = format!("127.0.0.1:{},{}", silent.port, deployment.addresses());
    let Some(server) = start_server(&addresses, &[]).await else { return };
    assert_eq!(Bearer::sign_in(&server, OWNER, "laptop").await.get("/openapi/v1/account").await.0, 200);
}
