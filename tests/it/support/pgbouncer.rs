//! A PgBouncer process for one test.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use super::process::Process;

/// The program: `TEST_PGBOUNCER`, or the one of the system.
pub fn program() -> String {
    std::env::var("TEST_PGBOUNCER").unwrap_or_else(|_| "pgbouncer".to_owned())
}

pub struct PgBouncer {
    pub port: u16,
    directory: tempfile::TempDir,
    #[expect(dead_code, reason = "ends the process when it is dropped")]
    process: Process,
}

impl PgBouncer {
    /// Starts one in front of a PostgreSQL; `None` with a message when it is not installed. `settings` are further
    /// lines of its configuration.
    pub async fn start(postgres: u16, mode: &str, settings: &str) -> Option<Self> {
        let port = super::server::free_port();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let configuration = format!(
            "[databases]\npostgres = host=127.0.0.1 port={postgres} dbname=postgres user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = {mode}\n\
             unix_socket_dir =\nlogfile = {0}/log\npidfile = {0}/pid\nignore_startup_parameters = extra_float_digits\n\
             {settings}\n",
            path.display()
        );
        let file = path.join("pgbouncer.ini");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(program());
        command.arg("-q");
        // It refuses to run as root.
        if Command::new("chown").args(["-R", "postgres"]).arg(path).stderr(Stdio::null()).status().unwrap().success() {
            command.args(["-u", "postgres"]);
        }
        let Ok(child) = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            eprintln!("no pgbouncer: tests/run without --quick installs it");
            return None;
        };
        let bouncer = Self { port, process: Process(child), directory };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(bouncer);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("pgbouncer did not start: {}", fs::read_to_string(bouncer.directory.path().join("log")).unwrap());
    }
}
