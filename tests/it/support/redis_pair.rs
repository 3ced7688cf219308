//! A Redis master with a replica, which takes over when the master is lost.

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    redis_process::RedisProcess,
    tcp_proxy::{TcpProxy, Traffic},
};

/// A master, and a replica that follows it through a proxy.
pub struct RedisPair(Mutex<Pair>);

#[derive(Clone)]
struct Pair {
    master: Arc<RedisProcess>,
    replica: Arc<RedisProcess>,
    replication: Arc<TcpProxy>,
}

impl RedisPair {
    /// Returns `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        let master = Arc::new(RedisProcess::start().await?);
        Some(Self(Mutex::new(add_replica(master).await?)))
    }

    pub fn master(&self) -> Arc<RedisProcess> {
        Arc::clone(&self.0.lock().master)
    }

    /// Waits until the replica has what the master has.
    pub async fn wait_until_synchronous(&self) {
        let Pair { master, replica, .. } = self.0.lock().clone();
        replica.wait_for("info replication", |state| state.contains("master_link_status:up")).await;
        let offset = field(&master.ask("info replication"), "master_repl_offset");
        replica.wait_for("info replication", |state| field(state, "slave_repl_offset") >= offset).await;
    }

    /// The replica gets nothing of what the master executes from now on, until it is promoted.
    pub fn hold_replication(&self) {
        self.0.lock().replication.set_traffic(Traffic::Nothing);
    }

    /// Kills the master and promotes the replica as it is, which is the master when this returns. It has no replica
    /// yet.
    pub fn fail_over(&self) {
        let Pair { master, replica, replication } = self.0.lock().clone();
        master.kill();
        assert_eq!(replica.ask("replicaof no one").trim(), "OK");
        *self.0.lock() = Pair { master: Arc::clone(&replica), replica, replication };
    }

    /// Gives the master a new replica, after a failover.
    pub async fn replace_replica(&self) {
        let pair = add_replica(self.master()).await.unwrap();
        *self.0.lock() = pair;
    }
}

async fn add_replica(master: Arc<RedisProcess>) -> Option<Pair> {
    let replication = Arc::new(TcpProxy::to(master.port).await);
    let replica = Arc::new(RedisProcess::start_replica(replication.port).await?);
    Some(Pair { master, replica, replication })
}

/// A number of `INFO`; 0 when it is absent.
fn field(state: &str, name: &str) -> u64 {
    let value = state.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map_or(0, |value| value.trim().parse().unwrap())
}
