//! Processes that a test has started: stopped by their own id, asked first.

use std::{
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long a process may take to end when it is asked to.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// SIGTERM.
pub fn terminate(child: &Child) {
    signal("TERM", &[child.id()]);
}

/// Signals processes that a test has started. One that has ended meanwhile is none any more.
pub fn signal(name: &str, ids: &[u32]) {
    let ids = ids.iter().map(u32::to_string);
    let told = Command::new("kill").arg(format!("-{name}")).args(ids).stderr(Stdio::null()).status();
    assert!(told.is_ok(), "kill is part of every system");
}

/// Waits for the end; `None` when it does not come.
pub fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    wait_for_exit_within(child, EXIT_TIMEOUT)
}

/// The same for a process that has something to finish first.
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

/// A process that ends, one way or the other, when nobody holds it any more: also in the middle of a test that fails.
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
