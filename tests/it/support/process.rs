//! Processes that a test has started: stopped by their own id, asked first.

use std::{
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(10);

/// SIGTERM.
pub fn terminate(child: &Child) {
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(told.is_ok(), "kill is part of every system");
}

/// Waits for the end; `None` when it does not come.
pub fn ended(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + GRACE;
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// Ends a process, one way or the other.
pub fn stop(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) {
        terminate(child);
        if ended(child).is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
