//! A master of a cluster that is killed, and a replica that takes its slots over.

use std::{process::Command, sync::Arc, time::Duration};

use dify_openapi::testing::ports::NonceKind;
use reqwest::Method;

use super::{super::redis_topologies::form_cluster, traffic::Traffic};
use crate::support::{
    Answer, Bearer, Browser, Device, Stores, TestServer,
    redis_process::RedisProcess,
    server::{OWNER, no_limits},
    tcp_proxy::{self, TcpProxy},
};

const MASTERS: usize = 3;
/// Of each master. After a failover one is left, which confirms writes.
const REPLICAS: usize = 2;

/// Starts the nodes, and forms the cluster.
async fn start_cluster() -> Option<Vec<RedisProcess>> {
    let mut nodes = Vec::new();
    for _ in 0..MASTERS * (1 + REPLICAS) {
        let configuration = "port {port}\ncluster-enabled yes\ncluster-node-timeout 1000";
        nodes.push(RedisProcess::start_with(configuration).await?);
    }
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let mut cli = Command::new("redis-cli");
    cli.args(["--cluster", "create"]).args(addresses);
    cli.args(["--cluster-replicas", &REPLICAS.to_string(), "--cluster-yes"]);
    let output = cli.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for node in &nodes {
        node.wait_for("cluster info", |state| state.contains("cluster_state:ok")).await;
        let is_synchronous = |state: &str| {
            if is_master(state) {
                state.matches("state=online").count() == REPLICAS
            } else {
                state.contains("master_link_status:up")
            }
        };
        node.wait_for("info replication", is_synchronous).await;
    }
    Some(nodes)
}

/// Waits until a replica has taken over from the master that was lost.
async fn wait_for_masters(nodes: &[RedisProcess]) {
    for _ in 0..600 {
        if nodes.iter().filter(|node| is_master(&node.ask("info replication"))).count() == MASTERS {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no replica has taken over");
}

fn is_master(state: &str) -> bool {
    state.contains("role:master")
}

async fn start_server(nodes: &str, variables: &[(&str, &str)]) -> Option<TestServer> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    let stores = Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() };
    let limits = no_limits();
    let own = [("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", nodes), ("OPENAPI_RATE_LIMITS", &limits)];
    Some(TestServer::start_with(stores, &[&own, variables].concat()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_survive_the_loss_of_a_master_of_a_cluster() {
    let Some(nodes) = start_cluster().await else { return };
    let addresses: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    let Some(server) = start_server(&addresses.join(","), &[("REDIS_WAIT_REPLICAS", "1")]).await else { return };
    let browser = Browser::signed_in(&server, OWNER).await;
    let pending = Device::start(&server, "pending").await;
    let has_grant = |node: &&RedisProcess| {
        is_master(&node.ask("info replication")) && node.ask("keys it:openapi:grant:*").contains("grant")
    };
    let owner = nodes.iter().find(has_grant).unwrap();
    let fail_over = async {
        owner.kill();
        // Others serve their slots meanwhile.
        wait_for_masters(&nodes).await;
    };
    Traffic::new(&server).during(fail_over).await;
    // The code was issued before, and its grant was on the master that was lost.
    assert_eq!(browser.approve(&pending.user_code).await.0, 200);
    let (status, delivered) = pending.poll().await;
    assert_eq!(status, 200, "{delivered}");
    let bearer = Bearer::with_token(&server, delivered["token"].as_str().unwrap(), "");
    assert_eq!(Answer::to(bearer.request(Method::GET, "/openapi/v1/account")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_that_does_not_respond_delays_no_sign_in() {
    let Some(node) = RedisProcess::start_with("port {port}\ncluster-enabled yes").await else { return };
    form_cluster(&node, &[]).await;
    let silent = TcpProxy::to(node.port).await;
    silent.set_traffic(tcp_proxy::Traffic::Nothing);
    let nodes = format!("127.0.0.1:{},127.0.0.1:{}", silent.port, node.port);
    let Some(server) = start_server(&nodes, &[]).await else { return };
    assert_eq!(Bearer::sign_in(&server, OWNER, "laptop").await.get("/openapi/v1/account").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_whose_reply_is_lost_is_not_repeated() {
    let Some(node) = RedisProcess::start_with("port {port}\ncluster-enabled yes").await else { return };
    form_cluster(&node, &[]).await;
    let proxy = TcpProxy::to(node.port).await;
    assert_eq!(node.ask(&format!("config set cluster-announce-port {}", proxy.port)).trim(), "OK");
    let Some(server) = start_server(&format!("127.0.0.1:{}", proxy.port), &[]).await else { return };
    let nonces = Arc::clone(&server.running().app.stores().nonces);
    assert!(nonces.consume(NonceKind::SsoState, "first").await.unwrap());
    proxy.set_traffic(tcp_proxy::Traffic::RequestsOnly);
    let consumed = tokio::spawn(async move { nonces.consume(NonceKind::SsoState, "second").await });
    node.wait_for("keys *second", |keys| keys.contains("second")).await;
    proxy.set_traffic(tcp_proxy::Traffic::Refused);
    tokio::time::sleep(Duration::from_millis(20)).await;
    proxy.set_traffic(tcp_proxy::Traffic::All);
    // Not `false`: no other call has consumed it.
    let outcome = consumed.await.unwrap();
    assert!(outcome.is_err(), "{outcome:?}");
}
