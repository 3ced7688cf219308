//! Sentinels with TLS, and clusters with and without it.

use std::process::Command;

use crate::support::{
    Bearer, Stores, TestServer,
    authority::{Authority, text},
    redis_process::RedisProcess,
    server::OWNER,
};

fn tls(authority: &Authority, name: &str) -> String {
    let [certificate, key] = authority.issue_files(name);
    format!(
        "tls-port {{port}}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-replication yes\n\
         tls-auth-clients optional",
        text(&certificate),
        text(&key),
        text(&authority.file())
    )
}

async fn stores() -> Option<Stores> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    Some(Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() })
}

pub(super) async fn assert_signs_in(server: &TestServer) {
    let bearer = Bearer::sign_in(server, OWNER, "laptop").await;
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);
    let ready = reqwest::get(server.admin("/readyz")).await.unwrap().text().await.unwrap();
    assert!(!ready.contains("degraded"), "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn master_behind_sentinels_with_tls_serves_sign_in() {
    let authority = Authority::new();
    let Some(master) = RedisProcess::start_with(&tls(&authority, "master")).await else { return };
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 1\nsentinel resolve-hostnames no", master.port);
    let configuration = format!("{}\n{monitor}", tls(&authority, "sentinel"));
    let Some(sentinel) = RedisProcess::start_sentinel(&configuration).await else { return };
    let Some(stores) = stores().await else { return };
    let (sentinels, file) = (format!("127.0.0.1:{}", sentinel.port), authority.file());
    let variables = [
        ("REDIS_USE_SENTINEL", "true"),
        ("REDIS_SENTINELS", &*sentinels),
        ("REDIS_SENTINEL_SERVICE_NAME", "mymaster"),
        ("REDIS_USE_SSL", "true"),
        ("REDIS_SSL_CA_CERTS", text(&file)),
    ];
    assert_signs_in(&TestServer::start_with(stores, &variables).await).await;
}

/// Gives all slots to the node, and waits until it serves them.
pub async fn form_cluster(node: &RedisProcess, options: &[&str]) {
    let cli = |arguments: &[&str]| {
        let mut command = Command::new("redis-cli");
        let output = command.args(options).args(["-p", &node.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(cli(&["cluster", "addslotsrange", "0", "16383"]).trim(), "OK");
    while !cli(&["cluster", "info"]).contains("cluster_state:ok") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_without_tls_serves_sign_in() {
    let Some(node) = RedisProcess::start_with("port {port}\ncluster-enabled yes").await else { return };
    form_cluster(&node, &[]).await;
    let Some(stores) = stores().await else { return };
    let nodes = format!("127.0.0.1:{}", node.port);
    let variables = [("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", &*nodes)];
    assert_signs_in(&TestServer::start_with(stores, &variables).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_with_tls_serves_sign_in() {
    let authority = Authority::new();
    let configuration = format!("{}\ncluster-enabled yes\ntls-cluster yes", tls(&authority, "node"));
    let Some(node) = RedisProcess::start_with(&configuration).await else { return };
    let file = authority.file();
    form_cluster(&node, &["--tls", "--cacert", text(&file)]).await;
    let Some(stores) = stores().await else { return };
    let nodes = format!("127.0.0.1:{}", node.port);
    let variables = [
        ("REDIS_USE_CLUSTERS", "true"),
        ("REDIS_CLUSTERS", &*nodes),
        ("REDIS_USE_SSL", "true"),
        ("REDIS_SSL_CA_CERTS", text(&file)),
    ];
    assert_signs_in(&TestServer::start_with(stores, &variables).await).await;
}
