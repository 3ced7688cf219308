//! A MariaDB process with TLS for one test.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    authority::{Authority, text},
    process::Process,
    server::free_port,
};

/// A `mariadbd` process on a free port of 127.0.0.1. The user `openapi`, without a password, has to use TLS.
pub struct MariadbProcess {
    pub port: u16,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl MariadbProcess {
    /// Creates and starts one; `None` with a message when the tests have no servers. With `client_certificate` the user
    /// has to show a certificate of the authority.
    pub async fn start(authority: &Authority, client_certificate: bool) -> Option<Self> {
        if std::env::var_os("TEST_MYSQL_URL").is_none() {
            eprintln!("no TEST_MYSQL_URL: tests/run without --quick sets it");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let issued = authority.issue();
        let requirement = if client_certificate { "X509" } else { "SSL" };
        let user =
            format!("CREATE DATABASE openapi;\nCREATE USER openapi@'%' IDENTIFIED BY '' REQUIRE {requirement};\n");
        let grant = "GRANT ALL ON openapi.* TO openapi@'%';\n";
        let ca = fs::read_to_string(authority.file()).unwrap();
        for (name, content) in
            [("server.pem", issued.certificate), ("server.key", issued.key), ("ca.pem", ca), ("init.sql", user + grant)]
        {
            fs::write(path(name), content).unwrap();
        }
        if is_root() {
            // MariaDB refuses to run as root.
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
            let given = Command::new("chown").args(["-R", "mysql"]).arg(directory.path()).status().unwrap();
            assert!(given.success());
        }
        let created = program("mariadb-install-db", directory.path())
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", path("data")))
            .output()
            .unwrap();
        assert!(created.status.success(), "{created:?}");
        let port = free_port();
        let process = program("mariadbd", directory.path())
            .arg("--no-defaults")
            .args([format!("--datadir={}", path("data")), format!("--socket={}", path("socket"))])
            .args([format!("--port={port}"), "--bind-address=127.0.0.1".to_owned(), "--skip-log-bin".to_owned()])
            .args([format!("--init-file={}", path("init.sql")), format!("--ssl-ca={}", path("ca.pem"))])
            .args([format!("--ssl-cert={}", path("server.pem")), format!("--ssl-key={}", path("server.key"))])
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let process = Process(process);
        for _ in 0..600 {
            // The server listens after it has run the file.
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(Self { port, _process: process, _directory: directory });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{}", fs::read_to_string(path("log")).unwrap());
    }

    /// The URL with parameters.
    pub fn url(&self, parameters: &str) -> String {
        format!("mysql://openapi@localhost:{}/openapi?{parameters}", self.port)
    }

    /// The parameters that show a certificate of the authority.
    pub fn certificate(authority: &Authority) -> String {
        let [certificate, key] = authority.issue_files("client");
        format!("&ssl-cert={}&ssl-key={}", text(&certificate), text(&key))
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// A program, as the user `mysql` if this process is root.
fn program(name: &str, directory: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=mysql", "--regid=mysql", "--init-groups", name]);
        command
    } else {
        Command::new(name)
    };
    // The directory of Debian for servers is not in every PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin")).current_dir(directory);
    command
}
