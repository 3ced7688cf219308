//! The table of attacks.

use crate::users::{Action, UserReport};

/// One attack.
pub struct Row {
    pub name: &'static str,
    pub peak_mib: f64,
    pub after_mib: f64,
    /// Seconds until the resident memory was back; `None` if it was not within a minute.
    pub returned_after: Option<f64>,
    pub users: UserReport,
    pub outcomes: String,
}

pub fn print_head(limit: &str, idle_mib: f64) {
    println!(
        "memory limit: 512 MiB ({limit}); idle RSS {idle_mib:.0} MiB; times in ms are the p99 of eight users beside the attack"
    );
    println!(
        "{:48}{:>9}{:>9}{:>7}{:>8}{:>8}{:>8}{:>8}{:>8}{:>7}  answers",
        "attack", "peak MiB", "after", "in s", "read", "code", "login", "run", "requests", "failed"
    );
}

impl Row {
    pub fn print(&self) {
        let p99 = |action| self.users.p99(action);
        println!(
            "{:48}{:9.0}{:9.0}{:>7}{:8.0}{:8.0}{:8.0}{:8.0}{:8}{:7}  {}",
            self.name,
            self.peak_mib,
            self.after_mib,
            self.returned_after.map_or("never".to_owned(), |seconds| format!("{seconds:.1}")),
            p99(Action::Read),
            p99(Action::Code),
            p99(Action::Login),
            p99(Action::Run),
            self.users.requests(),
            self.users.failures.len() + self.users.timeouts,
            self.outcomes
        );
    }
}
