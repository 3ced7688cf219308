//! A replica in a process of its own, which a test can kill, with the clock of the test. The process is this test
//! binary again, with the ignored test below.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use super::{TestServer, clock::TestClock, network::Network, server::run_application};

/// The variable with the offset of the clock at the start.
const CLOCK: &str = "TEST_REPLICA_CLOCK";
/// Begins the line that confirms a new offset. The output of the test runner may precede it in the line.
const CONFIRMATION: &str = "replica clock ";
/// Time limit of the start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

pub struct ReplicaProcess {
    child: Child,
    offsets: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ReplicaProcess {
    /// Starts a process at the address and on the stores of a server that does not run here, and waits until it
    /// responds. With a network, the address is one of its own.
    pub async fn start(server: &TestServer, network: Option<&Network>, offset: i64) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = network
            .map_or_else(|| Command::new(&program), |network| network.command(&program))
            .args(["support::replica_process::serve_for_another_test", "--exact", "--ignored", "--nocapture"])
            .env_clear()
            .envs(server.variables())
            .env(CLOCK, offset.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (offsets, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut process = Self { child, offsets, output };
        let (began, health) = (tokio::time::Instant::now(), server.at("/openapi/v1/_health"));
        while began.elapsed() < START_TIMEOUT {
            assert!(process.child.try_wait().unwrap().is_none(), "the replica ended; its standard error is above");
            if reqwest::get(&health).await.is_ok_and(|response| response.status() == 200) {
                return process;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the replica did not start");
    }

    /// Moves the clock of the process and waits until it has done so.
    pub fn set_clock(&mut self, offset: i64) {
        writeln!(self.offsets, "{offset}").unwrap();
        let (wanted, mut line) = (format!("{CONFIRMATION}{offset}"), String::new());
        // The process responds within a moment.
        while !line.trim_end().ends_with(&wanted) {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the replica ended; its standard error is above");
        }
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for ReplicaProcess {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Serves until its input ends, which is when the test that has started it ends. Each line of input is an offset of the
/// clock.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is started by other tests as a process"]
async fn serve_for_another_test() {
    let Ok(offset) = std::env::var(CLOCK) else { return };
    let clock = TestClock::default();
    clock.set_offset(offset.parse().unwrap());
    let env: BTreeMap<_, _> = std::env::vars().filter(|(name, _)| name != CLOCK).collect();
    super::server::install_crypto();
    let (_running, _telemetry) = run_application(&env, &clock).await;
    let follow = move || {
        for line in std::io::stdin().lines() {
            let offset = line.unwrap().parse().unwrap();
            clock.set_offset(offset);
            println!("{CONFIRMATION}{offset}");
        }
    };
    tokio::task::spawn_blocking(follow).await.unwrap();
    // The stores may be gone, so an orderly end may never come.
    std::process::exit(0);
}
