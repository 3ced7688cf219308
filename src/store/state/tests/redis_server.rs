//! Temporary Redis servers.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::{
    domain::secret::Secret,
    ports::{redis_topology::RedisTopology, state_stores::StateStores},
    store::state::{redis::options::RedisOptions, redis_stores},
};

/// A temporary server that is killed when this is dropped.
pub(crate) struct RedisServer {
    child: Child,
    pub(crate) port: u16,
    _dir: TempDir,
}

impl RedisServer {
    /// Starts one with further arguments. Returns `None` when there is no `redis-server`.
    pub(crate) fn start(port: u16, arguments: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(dir.path())
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self { child, port, _dir: dir })
    }

    /// Sends a signal, such as `-STOP`.
    pub(crate) fn signal(&self, name: &str) {
        Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Stores on a port of this machine, where so many replicas confirm writes.
pub(crate) fn stores_on(port: u16, wait_replicas: u8) -> StateStores {
    let url = Secret::new(format!("redis://127.0.0.1:{port}"));
    let options = RedisOptions::new(RedisTopology::Single { url }).with_wait_replicas(wait_replicas);
    redis_stores(options).unwrap()
}

pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
