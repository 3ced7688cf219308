//! A PostgreSQL process for one test, to be killed, paused and restarted.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use parking_lot::Mutex;

use super::process::signal;

/// A `postgres` process on a free port. Its data survives a restart.
pub struct PostgresProcess {
    /// Its port. It has the database `postgres` and a user of that name.
    pub port: u16,
    /// Further arguments of the server.
    arguments: Vec<String>,
    child: Mutex<Option<Child>>,
    directory: tempfile::TempDir,
}

impl PostgresProcess {
    /// Creates and starts a PostgreSQL; `None` with a message when the tests have no servers.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[], |_| Vec::new()).await
    }

    /// Creates and starts one with files in its directory, and with the arguments that the paths of these files give.
    pub async fn start_with(files: &[(&str, String)], arguments: impl Fn(&Path) -> Vec<String>) -> Option<Self> {
        if std::env::var_os("TEST_POSTGRES_URL").is_none() {
            eprintln!("no TEST_POSTGRES_URL: tests/run without --quick sets it");
            return None;
        }
        let postgres = Self::in_directory(files, arguments);
        let mut make = program("initdb");
        make.arg("-D")
            .arg(postgres.data())
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"])
            .stdout(Stdio::null());
        assert!(make.status().unwrap().success());
        postgres.restart().await;
        Some(postgres)
    }

    /// Starts a standby of another server with a copy of its data. It has the arguments of that server.
    pub async fn standby_of(primary: &Self) -> Self {
        let postgres = Self::in_directory(&[], |_| primary.arguments.clone());
        let mut copy = program("pg_basebackup");
        copy.arg("-D")
            .arg(postgres.data())
            .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &primary.port.to_string()])
            .args(["-R", "-X", "stream", "--checkpoint=fast", "--no-sync"]);
        run(copy).await;
        postgres.restart().await;
        postgres
    }

    /// The rows of a statement, with `|` between the columns.
    pub async fn query(&self, statement: &str) -> String {
        query_at(self.port, statement).await
    }

    /// A server without data.
    fn in_directory(files: &[(&str, String)], arguments: impl Fn(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            // A private key that others can read is refused.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let arguments = arguments(directory.path());
        let port = super::server::free_port();
        let postgres = Self { port, arguments, child: Mutex::default(), directory };
        if is_root() {
            // PostgreSQL refuses to run as root.
            assert!(
                Command::new("chown")
                    .args(["-R", "postgres"])
                    .arg(postgres.directory.path())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        postgres
    }

    /// Kills the process and its children, like a power loss.
    pub fn kill(&self) {
        let Some(mut child) = self.child.lock().take() else { return };
        // Stopped first, so that it starts no new child.
        signal("STOP", &[child.id()]);
        signal("KILL", &backends(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Pauses it: connections stay open, and it does not respond.
    pub fn pause(&self) {
        let id = self.child.lock().as_ref().unwrap().id();
        signal("STOP", &[id]);
        signal("STOP", &backends(id));
    }

    /// Ends the pause.
    pub fn resume(&self) {
        let id = self.child.lock().as_ref().unwrap().id();
        signal("CONT", &backends(id));
        signal("CONT", &[id]);
    }

    /// Starts it again on the same port and waits until it responds. A killed server's processes may hold its memory
    /// for a moment, in which a new one gives up.
    pub async fn restart(&self) {
        let port = self.port.to_string();
        *self.child.lock() = Some(self.spawn());
        for _ in 0..600 {
            let mut ready = Command::new(installation().join("pg_isready"));
            if ready
                .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port])
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut child = self.child.lock();
            if child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                *child = Some(self.spawn());
            }
        }
        panic!("{}", fs::read_to_string(self.directory.path().join("log")).unwrap());
    }

    fn spawn(&self) -> Child {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let started = program("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-c", "fsync=off", "-k"])
            .arg(self.directory.path())
            .args(&self.arguments)
            .stderr(log)
            .stdout(Stdio::null())
            .spawn();
        started.unwrap()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

/// The rows of a statement at a port, with `|` between the columns. The statement is not prepared.
pub async fn query_at(port: u16, statement: &str) -> String {
    let mut client = program("psql");
    client.args(["-X", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
    client.args(["-v", "ON_ERROR_STOP=1", "-c", statement]);
    run(client).await.trim().to_owned()
}

impl Drop for PostgresProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The output of a program that must succeed. It runs on a thread of its own, because some take seconds.
async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The child processes of a server.
fn backends(postmaster: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent(*id) == Some(postmaster)).collect()
}

/// The parent of a process: the second field after its name, which is in parentheses.
fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Whether this process is root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The directory of the newest installed PostgreSQL.
fn installation() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.map(|version| version.path()).max_by_key(|path| number(path)).unwrap().join("bin")
}

/// A program of that directory, as the user `postgres` if this process is root.
fn program(name: &str) -> Command {
    let path = installation().join(name);
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(path).current_dir("/");
    command
}
