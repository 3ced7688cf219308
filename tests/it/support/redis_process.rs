//! A Redis process for one test, to be killed, paused and restarted.

use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;

use super::process::signal;

/// A `redis-server` process on a free port, without persistence: a restart loses its data.
pub struct RedisProcess {
    pub port: u16,
    /// Whether it is a sentinel.
    is_sentinel: bool,
    /// Further lines of its configuration.
    configuration: String,
    child: Mutex<Option<Child>>,
    directory: tempfile::TempDir,
}

impl RedisProcess {
    /// Starts one; `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        Self::start_with("").await
    }

    /// Starts one with further lines of configuration, in which `{port}` is its port.
    pub async fn start_with(configuration: &str) -> Option<Self> {
        Self::start_as(false, configuration).await
    }

    /// Starts a sentinel.
    pub async fn start_sentinel(configuration: &str) -> Option<Self> {
        Self::start_as(true, configuration).await
    }

    /// Starts a replica of a server on a port, and waits until it has the data and confirms writes. After its promotion a
    /// restart leaves it a master.
    pub async fn start_replica(master: u16) -> Option<Self> {
        let replica = Self::start().await?;
        assert_eq!(replica.ask(&format!("replicaof 127.0.0.1 {master}")).trim(), "OK");
        replica.wait_for("info replication", |state| state.contains("master_link_status:up")).await;
        wait_until_confirmed(master).await;
        Some(replica)
    }

    async fn start_as(is_sentinel: bool, configuration: &str) -> Option<Self> {
        if std::env::var_os("TEST_REDIS_URL").is_none() {
            eprintln!("no TEST_REDIS_URL: tests/run without --quick sets it");
            return None;
        }
        let mut port = super::server::free_port();
        // A node of a cluster has a second port.
        while configuration.contains("cluster-enabled")
            && std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_err()
        {
            port = super::server::free_port();
        }
        let configuration = configuration.replace("{port}", &port.to_string());
        let directory = tempfile::tempdir().unwrap();
        let redis = Self { port, is_sentinel, configuration, child: Mutex::default(), directory };
        redis.restart().await;
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Pauses it: connections stay open, and it does not respond.
    pub fn pause(&self) {
        signal("STOP", &[self.child.lock().as_ref().unwrap().id()]);
    }

    /// Lets commands that write wait for this time. Others are answered.
    pub async fn pause_writes(&self, time: std::time::Duration) {
        let mut connection = redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        let mut pause = redis::cmd("CLIENT");
        pause.arg("PAUSE").arg(u64::try_from(time.as_millis()).unwrap()).arg("WRITE");
        pause.query_async::<()>(&mut connection).await.unwrap();
    }

    /// Runs a command whose words are separated by blanks, and returns its reply as `redis-cli` prints it.
    pub fn ask(&self, command: &str) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-p", &self.port.to_string()]).args(command.split(' '));
        String::from_utf8(cli.output().unwrap().stdout).unwrap()
    }

    /// Waits until the reply to a command is an expected one.
    pub async fn wait_for(&self, command: &str, is_expected: impl Fn(&str) -> bool) {
        let mut reply = String::new();
        for _ in 0..600 {
            reply = self.ask(command);
            if is_expected(&reply) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{command}: {reply}");
    }

    /// Ends the pause, with its data.
    pub fn resume(&self) {
        signal("CONT", &[self.child.lock().as_ref().unwrap().id()]);
    }

    /// Starts it again, empty, on the same port, and waits until it responds.
    pub async fn restart(&self) {
        let file = self.directory.path().join("redis.conf");
        let directory = self.directory.path().display();
        let port = if self.configuration.contains("tls-port") { 0 } else { self.port };
        // A master sends a replica its data at once instead of waiting for others.
        let configuration = format!(
            "port {port}\nbind 127.0.0.1\ndir {directory}\n{}{}\n",
            if self.is_sentinel { "" } else { "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n" },
            self.configuration
        );
        std::fs::write(&file, configuration).unwrap();
        let child = Command::new("redis-server")
            .arg(&file)
            .args(self.is_sentinel.then_some("--sentinel"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        *self.child.lock() = Some(child);
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("redis-server did not start");
    }
}

/// Waits until a replica confirms a write, which a new one does after up to a second.
async fn wait_until_confirmed(master: u16) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{master}/0")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut write = redis::pipe();
    write.cmd("SET").arg("confirmed").arg(1).arg("PX").arg(1).ignore().cmd("WAIT").arg(1).arg(100);
    for _ in 0..100 {
        let (replicas,): (u32,) = write.query_async(&mut connection).await.unwrap();
        if replicas > 0 {
            return;
        }
    }
    panic!("no replica of the server on port {master} confirms a write");
}

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
