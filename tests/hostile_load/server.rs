//! The server under load: the real binary with `serve`, SQLite and state in the process, within the memory limit.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    apps,
    limit::{LIMIT_MIB, MemoryLimit},
    process::Process,
    upstreams::Upstreams,
};

pub const PASSWORD: &str = "a-password-of-the-load";
/// The workspace of the users.
pub const WORKSPACE: &str = "Users";
/// The workspace of the attacker.
pub const HOSTILE_WORKSPACE: &str = "Hostile";
/// The attacker's account.
pub const ATTACKER: &str = "mallory@example.com";

/// Higher than the defaults, so that users can be measured often enough. It helps attackers, too.
const RATE_LIMITS: &str = "account=600/1m,token=600/1m,device_code=600/1h";
const START_TIMEOUT: Duration = Duration::from_secs(30);

pub struct LoadServer {
    pub address: SocketAddr,
    environment: BTreeMap<&'static str, String>,
    process: Option<Process>,
    pub limit: MemoryLimit,
    // Removed last.
    directory: TempDir,
}

impl LoadServer {
    /// Creates the schema, the accounts and the apps, and starts the server. HTTP nodes may reach loopback.
    pub fn start(users: &[String], upstreams: Upstreams) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        let data = directory.path().join("data").display().to_string();
        let environment = [
            ("HOME", data.clone()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("DATA_DIR", data),
            ("DATABASE_URL", format!("sqlite://{}?mode=rwc", directory.path().join("load.db").display())),
            ("DEPLOY_ENV", "DEVELOPMENT".to_owned()),
            ("SECRET_KEY", "a secret of the hostile load, which is long enough".to_owned()),
            ("CONSOLE_WEB_URL", format!("http://{address}")),
            ("LISTEN", address.to_string()),
            ("ADMIN_LISTEN", "off".to_owned()),
            ("OPENAPI_RATE_LIMITS", RATE_LIMITS.to_owned()),
            ("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8".to_owned()),
            ("ECHO_PACE_MS", "20".to_owned()),
            ("MEMORY_LIMIT_MIB", LIMIT_MIB.to_string()),
        ];
        let mut server =
            Self { address, environment: environment.into(), process: None, limit: MemoryLimit::new(), directory };
        server.prepare(users, upstreams);
        server.launch();
        server
    }

    fn prepare(&self, users: &[String], upstreams: Upstreams) {
        self.command(&["migrate", "up"], "");
        for email in users.iter().map(String::as_str).chain([ATTACKER]) {
            self.command(&["account", "create", email], PASSWORD);
        }
        self.command(&["workspace", "create", WORKSPACE, "--owner", &users[0]], "");
        for email in &users[1..] {
            self.command(&["workspace", "add-member", WORKSPACE, email], "");
        }
        self.command(&["workspace", "create", HOSTILE_WORKSPACE, "--owner", ATTACKER], "");
        self.command(&["app", "import", "-", "--workspace", WORKSPACE], &apps::greeting());
        for app in apps::hostile(upstreams) {
            self.command(&["app", "import", "-", "--workspace", HOSTILE_WORKSPACE], &app);
        }
    }

    /// Starts the process, also after it was killed.
    pub fn launch(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let process = self
            .limit
            .command(&program())
            .arg("serve")
            .env_clear()
            .envs(&self.environment)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(Process(process));
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < START_TIMEOUT && self.is_alive(), "the server starts: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&self, arguments: &[&str], input: &str) {
        let mut command = Command::new(program())
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = command.stdin.take().unwrap().write_all(input.as_bytes());
        let output = command.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.0.try_wait(), Ok(None)))
    }

    /// Resident memory in MiB.
    pub fn rss(&self) -> f64 {
        self.status_mib("VmRSS:")
    }

    /// The highest resident memory since the last reset, in MiB.
    pub fn peak_rss(&self) -> f64 {
        self.status_mib("VmHWM:")
    }

    /// Where the kernel does not allow it, the peak stays that of the whole life.
    pub fn reset_peak(&self) {
        if let Some(process) = &self.process {
            let _ = fs::write(format!("/proc/{}/clear_refs", process.0.id()), "5");
        }
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    fn status_mib(&self, name: &str) -> f64 {
        let id = self.process.as_ref().map_or(0, |process| process.0.id());
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let kib =
            status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}

impl Drop for LoadServer {
    fn drop(&mut self) {
        // Before the cgroup is removed.
        self.process = None;
    }
}

/// The program of this build, or another one to compare with.
fn program() -> String {
    std::env::var("HOSTILE_LOAD_SERVER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_dify-openapi").to_owned())
}
