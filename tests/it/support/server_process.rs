//! A test server as a process of its own, which a test can kill.

use std::{
    fs::File,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    TestServer,
    process::{Process, terminate, wait_for_exit, wait_for_exit_within},
    server::free_port,
};

/// The real binary at the address and on the stores of a server that was halted. It has the system's clock.
pub struct ServerProcess {
    process: Process,
    /// The address of the listener of internal services.
    inner: String,
    output: tempfile::NamedTempFile,
}

impl ServerProcess {
    /// Starts the process and waits until it is ready.
    pub async fn start(server: &TestServer) -> Self {
        Self::start_with(server, &[]).await
    }

    /// The same with other variables.
    pub async fn start_with(server: &TestServer, variables: &[(&str, &str)]) -> Self {
        let inner = format!("127.0.0.1:{}", free_port());
        let output = tempfile::NamedTempFile::new().unwrap();
        let stream = || -> Stdio { File::options().append(true).open(output.path()).unwrap().into() };
        let child = Command::new(env!("CARGO_BIN_EXE_dify-openapi"))
            .arg("serve")
            .env_clear()
            .envs(server.variables())
            .env("INNER_LISTEN", &inner)
            .env("LOG_LEVEL", "DEBUG")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap();
        let mut process = Self { process: Process(child), inner, output };
        let health = server.at("/openapi/v1/_health");
        for _ in 0..1_000 {
            let ended = process.process.0.try_wait().unwrap();
            assert!(ended.is_none(), "the process ended before it was ready: {}", process.output());
            if reqwest::get(&health).await.is_ok_and(|response| response.status() == 200) {
                return process;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the process did not become ready: {}", process.output());
    }

    /// The URL of a path on the listener of internal services.
    pub fn inner(&self, path: &str) -> String {
        format!("http://{}{path}", self.inner)
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends SIGKILL and waits for the end. Returns what the process has written.
    pub fn kill(mut self) -> String {
        self.process.0.kill().unwrap();
        assert!(wait_for_exit(&mut self.process.0).is_some(), "SIGKILL ends the process");
        self.output()
    }

    /// Sends SIGTERM and waits for the end. Returns whether it succeeded, the time that it took, and what the process has
    /// written.
    pub fn terminate(mut self, timeout: Duration) -> (bool, Duration, String) {
        let began = Instant::now();
        terminate(&self.process.0);
        let status = wait_for_exit_within(&mut self.process.0, timeout);
        (status.is_some_and(|status| status.success()), began.elapsed(), self.output())
    }

    /// What the process has written.
    fn output(&self) -> String {
        std::fs::read_to_string(self.output.path()).unwrap()
    }
}
