//! Tests that run again in a namespace of the kernel, where they can change the network or mount a disk.

use std::process::{Command, Stdio};

use super::postgres_process::is_root;

/// What a test has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// The network: only the loopback interface, and no route.
    Network,
    /// The file systems: what it mounts ends with it.
    Mounts,
}

impl Namespace {
    /// Set in the process that has the namespace.
    const fn variable(self) -> &'static str {
        match self {
            Self::Network => "TEST_IN_NETWORK",
            Self::Mounts => "TEST_IN_MOUNTS",
        }
    }

    /// Whether this process has it.
    pub fn is_here(self) -> bool {
        std::env::var_os(self.variable()).is_some()
    }

    /// Repeats a test in a process that has the namespace. `false` in that process, and where this system allows no
    /// namespaces.
    pub fn repeats(self, test: &str) -> bool {
        if self.is_here() {
            return false;
        }
        let probe = self.unshare().arg("true").stderr(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            eprintln!("no namespaces: they need root, or user namespaces");
            return false;
        }
        let begin = if self == Self::Network { r#"ip link set lo up && exec "$@""# } else { r#"exec "$@""# };
        let mut command = self.unshare();
        command.args(["sh", "-c", begin, "sh"]).arg(std::env::current_exe().unwrap());
        command.args([test, "--exact", "--nocapture"]).env(self.variable(), "1").stdin(Stdio::null());
        // The output is captured with that of this test.
        let output = command.output().unwrap();
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        true
    }

    /// Begins a command in a new namespace. Without root it gets the rights there: with its own user, because
    /// PostgreSQL refuses root, or as root, whom `mount` requires.
    fn unshare(self) -> Command {
        let mut command = Command::new("unshare");
        match (is_root(), self) {
            (true, _) => {}
            (false, Self::Network) => _ = command.args(["--user", "--map-current-user", "--keep-caps"]),
            (false, Self::Mounts) => _ = command.args(["--user", "--map-root-user"]),
        }
        command.args([if self == Self::Network { "--net" } else { "--mount" }, "--"]);
        command
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
