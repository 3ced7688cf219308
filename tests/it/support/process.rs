//! Processes that a test has started. They are stopped by their own id, first with SIGTERM.

use std::{
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// The time limit of a process to end after SIGTERM.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends SIGTERM.
pub fn terminate(child: &Child) {
    signal("TERM", &[child.id()]);
}

/// Sends a signal to processes; processes that have ended are ignored.
pub fn signal(name: &str, ids: &[u32]) {
    let ids = ids.iter().map(u32::to_string);
    let status = Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status();
    assert!(status.is_ok(), "the program `kill` runs");
}

/// Waits for the end; `None` after ten seconds.
pub fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    wait_for_exit_within(child, EXIT_TIMEOUT)
}

/// Waits for the end; `None` after the timeout.
pub fn wait_for_exit_within(child: &mut Child, timeout: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + timeout;
    while Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// A process that ends when it is dropped, also when a test fails.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let child = &mut self.0;
        if matches!(child.try_wait(), Ok(None)) {
            terminate(child);
            if wait_for_exit(child).is_none() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
