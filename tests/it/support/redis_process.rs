//! A Redis process for one test, to be killed, paused and restarted.

use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;

use super::process::signal;

/// A `redis-server` process on a free port, without persistence: a restart loses its data.
pub struct RedisProcess {
    pub port: u16,
    child: Mutex<Option<Child>>,
    directory: tempfile::TempDir,
}

impl RedisProcess {
    /// Starts one; `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        if std::env::var_os("TEST_REDIS_URL").is_none() {
            eprintln!("no TEST_REDIS_URL: tests/run without --quick sets it");
            return None;
        }
        let port = super::server::free_port();
        let redis = Self { port, child: Mutex::default(), directory: tempfile::tempdir().unwrap() };
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

    /// Ends the pause, with its data.
    pub fn resume(&self) {
        signal("CONT", &[self.child.lock().as_ref().unwrap().id()]);
    }

    /// Starts it again, empty, on the same port, and waits until it responds.
    pub async fn restart(&self) {
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--dir",
            ])
            .arg(self.directory.path())
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

impl Drop for RedisProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
