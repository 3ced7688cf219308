//! A whole server on free ports: the composition root of the real process, configured by environment variables.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use chrono::TimeDelta;
use dify_openapi::testing::{
    app::{self, Application, Dependencies, ListenerKind, RunningServer},
    config::Config,
    domain::{KeyRing, LimitName, Secret, WorkspaceRole},
    http::{ListenOptions, serve},
    memory::MemoryLedger,
    ports::{Clock as _, StateStores, SystemEntropy},
    service::Passwords,
    store::{SqlOptions, SqlStore},
    telemetry::{Output, Telemetry},
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{Stores, clock::TestClock};

/// The signing key in tests.
pub const SECRET_KEY: &str = "a secret of the tests, which is long enough to be one";
/// The service key in tests.
pub const SERVICE_KEY: &str = "the-internal-services-of-the-tests";
/// The password of every account in tests.
pub const PASSWORD: &str = "demo-password-1";
/// The owner of "Demo Workspace" and "Second Workspace".
pub const OWNER: &str = "demo@example.com";
/// A member of "Demo Workspace".
pub const MEMBER: &str = "member@example.com";

pub struct TestServer {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    pub clock: TestClock,
    pub stores: Stores,
    env: BTreeMap<String, String>,
    running: Option<RunningServer>,
    /// The address of the listener of internal services, also while the server is halted.
    inner: Option<SocketAddr>,
    // Metrics are collected as long as this exists.
    telemetry: Option<Telemetry>,
    directory: Arc<tempfile::TempDir>,
}

impl TestServer {
    /// Starts a server with the default configuration.
    pub async fn start(stores: Stores) -> Self {
        Self::start_with(stores, &[]).await
    }

    /// Starts a server with variables; `OPENAPI_RATE_LIMITS` changes limits.
    pub async fn start_with(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let (env, directory, clock) = Self::environment(&stores, variables);
        prepare(&config(&env), &clock).await;
        Self::run(stores, env, clock, directory).await
    }

    /// Starts a server with the schema and without accounts.
    pub async fn start_empty(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let (env, directory, clock) = Self::environment(&stores, variables);
        migrate(&config(&env)).await.close().await.unwrap();
        Self::run(stores, env, clock, directory).await
    }

    /// Starts a server without rate limits.
    pub async fn start_without_limits(stores: Stores) -> Self {
        Self::start_with(stores, &[("OPENAPI_RATE_LIMITS", &no_limits())]).await
    }

    /// Starts a server on a database that already has the schema and the accounts.
    pub async fn start_prepared(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let (env, directory, clock) = Self::environment(&stores, variables);
        Self::run(stores, env, clock, directory).await
    }

    /// The variables of a new server, its directory and its clock.
    fn environment(
        stores: &Stores,
        variables: &[(&str, &str)],
    ) -> (BTreeMap<String, String>, Arc<tempfile::TempDir>, TestClock) {
        install_crypto();
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let mut env: BTreeMap<String, String> = [
            ("SECRET_KEY", SECRET_KEY),
            ("DEPLOY_ENV", "DEVELOPMENT"),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("INNER_LISTEN", "127.0.0.1:0"),
            ("GRPC_LISTEN", "127.0.0.1:0"),
            ("INNER_API_KEY", SERVICE_KEY),
            ("GRPC_REFLECTION", "true"),
            ("SQLALCHEMY_POOL_SIZE", "10"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.insert("OPENDAL_FS_ROOT".to_owned(), directory.path().join("files").display().to_string());
        // Origins and links contain this URL, so the port is chosen before the start.
        let port = free_port();
        env.insert("CONSOLE_WEB_URL".to_owned(), format!("http://127.0.0.1:{port}"));
        env.insert("LISTEN".to_owned(), format!("127.0.0.1:{port}"));
        match stores {
            Stores::Sqlite => {
                let file = directory.path().join("test.db");
                env.insert("DATABASE_URL".to_owned(), format!("sqlite://{}?mode=rwc", file.display()));
                env.insert("DATA_DIR".to_owned(), directory.path().join("data").display().to_string());
            }
            Stores::Servers { database, redis, prefix } => {
                env.insert("DATABASE_URL".to_owned(), database.clone());
                env.insert("REDIS_URL".to_owned(), redis.clone());
                env.insert("REDIS_KEY_PREFIX".to_owned(), prefix.clone());
            }
        }
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        (env, directory, TestClock::default())
    }

    /// The directory of uploaded files.
    pub fn files_dir(&self) -> PathBuf {
        self.directory.path().join("files")
    }

    /// Runs a command on the stores of this server.
    pub fn command(&self, arguments: &[&str], input: &str) -> std::process::Output {
        super::command::run_command(&self.env, arguments, input)
    }

    /// Runs a command on the stores of this server in a terminal. `None` without the Python of `tests/run`. Standard
    /// output of the result is the screen.
    pub fn command_in_terminal(&self, arguments: &[&str]) -> Option<std::process::Output> {
        let Some(python) = std::env::var_os("TEST_PYTHON") else {
            eprintln!("no TEST_PYTHON: tests/run sets it");
            return None;
        };
        let script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
        let mut command = std::process::Command::new(python);
        command.args(["-c", script, env!("CARGO_BIN_EXE_dify-openapi")]).args(arguments);
        Some(command.env_clear().envs(&self.env).stdin(std::process::Stdio::null()).output().unwrap())
    }

    /// Runs a command on the stores of this server with other variables.
    pub fn command_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> std::process::Output {
        let mut env = self.env.clone();
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        super::command::run_command(&env, arguments, "")
    }

    /// A second server on the same stores and clock.
    pub async fn replica(&self) -> Self {
        self.replica_with(&[]).await
    }

    /// A second server with other variables.
    pub async fn replica_with(&self, variables: &[(&str, &str)]) -> Self {
        let mut env = self.env.clone();
        env.insert("LISTEN".to_owned(), "127.0.0.1:0".to_owned());
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::run(self.stores.clone(), env, self.clock.clone(), Arc::clone(&self.directory)).await
    }

    /// A second server that another process runs, at the addresses `LISTEN` and `INNER_LISTEN`.
    pub fn replica_elsewhere(&self, variables: &[(&str, &str)]) -> Self {
        let mut env = self.env.clone();
        env.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self {
            url: format!("http://{}", env["LISTEN"]),
            clock: self.clock.clone(),
            stores: self.stores.clone(),
            inner: Some(env["INNER_LISTEN"].parse().unwrap()),
            env,
            running: None,
            telemetry: None,
            directory: Arc::clone(&self.directory),
        }
    }

    /// Serves the public listener of another process on the same database with these state stores. Returns its URL.
    pub async fn replica_with_state(&self, state: StateStores) -> String {
        let config = config(&self.env);
        let dependencies = dependencies(&self.clock, self.telemetry.as_ref().unwrap());
        let (sql, standalone) = app::connect_sql(&config, None).await.unwrap();
        let app = Application::new(&config, sql, state, standalone, dependencies).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (service, never) = (app.service(ListenerKind::Public).unwrap(), CancellationToken::new());
        tokio::spawn(serve(listener, service, ListenOptions::default(), never.clone(), never));
        url
    }

    async fn run(
        stores: Stores,
        env: BTreeMap<String, String>,
        clock: TestClock,
        directory: Arc<tempfile::TempDir>,
    ) -> Self {
        let (running, telemetry) = run_application(&env, &clock).await;
        let (url, inner) = (format!("http://{}", running.bound.public), running.bound.inner);
        Self { url, clock, stores, env, running: Some(running), inner, telemetry: Some(telemetry), directory }
    }

    pub fn running(&self) -> &RunningServer {
        self.running.as_ref().unwrap()
    }

    /// The SQL store.
    pub fn sql(&self) -> &SqlStore {
        &self.running().app.context().sql
    }

    /// The URL of a path on the public listener.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The URL of a path on the listener of internal services.
    pub fn inner(&self, path: &str) -> String {
        format!("http://{}{path}", self.inner.unwrap())
    }

    /// The URL of a path on the admin listener.
    pub fn admin(&self, path: &str) -> String {
        format!("http://{}{path}", self.running().bound.admin.unwrap())
    }

    /// A variable of the server's environment.
    pub fn variable(&self, name: &str) -> &str {
        &self.env[name]
    }

    /// Moves the clock of the service and of Redis.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Stops the server after its requests end.
    pub async fn stop(mut self) {
        self.halt().await;
    }

    /// Stops the server, and keeps its stores and its address for `resume`.
    pub async fn halt(&mut self) {
        let running = self.running.take().unwrap();
        let deadlines = running.shutdown_deadlines();
        running.stop(deadlines).await;
    }

    /// Starts a server that was halted, on the same stores, address and clock.
    pub async fn resume(&mut self) {
        let (running, telemetry) = run_application(&self.env, &self.clock).await;
        self.inner = running.bound.inner;
        (self.running, self.telemetry) = (Some(running), Some(telemetry));
    }

    /// The server's environment.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }
}

/// Installs the cryptography that the HTTP clients of the tests and of the service share.
pub fn install_crypto() {
    // A second call fails, which is fine.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}

/// A free port below the range that the system gives to outgoing connections, and never the same twice.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        // Concurrent test processes start at different ports.
        let port = FIRST + (std::process::id().wrapping_mul(7_919).wrapping_add(turn)) % COUNT;
        let port = u16::try_from(port).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The value of `OPENAPI_RATE_LIMITS` that switches every limit off.
pub fn no_limits() -> String {
    LimitName::ALL.iter().map(|name| format!("{}=0", name.as_str())).collect::<Vec<_>>().join(",")
}

/// The dependencies with the test clock.
fn dependencies(clock: &TestClock, telemetry: &Telemetry) -> Dependencies {
    Dependencies {
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SystemEntropy),
        metrics: Arc::clone(&telemetry.metrics),
        redis_clock_offset: Arc::clone(&clock.0),
    }
}

/// Starts the application of a server.
pub(super) async fn run_application(env: &BTreeMap<String, String>, clock: &TestClock) -> (RunningServer, Telemetry) {
    let config = config(env);
    super::logs::install();
    export_traces(env);
    let telemetry = Telemetry::install(&config.telemetry, Output::Writer(Box::new(std::io::sink()))).unwrap();
    let running = Box::pin(app::start(config, dependencies(clock, &telemetry))).await.unwrap();
    (running, telemetry)
}

fn config(env: &BTreeMap<String, String>) -> Config {
    Config::for_serve(&|name| env.get(name).cloned()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Exports traces to a closed port, because only exported requests have spans.
fn export_traces(env: &BTreeMap<String, String>) {
    static EXPORTING: OnceLock<Telemetry> = OnceLock::new();
    EXPORTING.get_or_init(|| {
        let mut env = env.clone();
        env.insert("ENABLE_OTEL".to_owned(), "true".to_owned());
        env.insert("OTLP_BASE_ENDPOINT".to_owned(), "http://127.0.0.1:9".to_owned());
        env.insert("OTEL_SAMPLING_RATE".to_owned(), "1".to_owned());
        Telemetry::install(&config(&env).telemetry, Output::Writer(Box::new(std::io::sink()))).unwrap()
    });
}

/// Hashing is slow on purpose, so all tests share one hash.
async fn password_hash() -> Secret {
    static HASH: OnceCell<Secret> = OnceCell::const_new();
    HASH.get_or_init(async || {
        Passwords::new(&MemoryLedger::unlimited()).unwrap().hash(Secret::new(PASSWORD)).await.unwrap()
    })
    .await
    .clone()
}

/// The keys of the test servers.
pub fn keys() -> Arc<KeyRing> {
    Arc::new(KeyRing::new(Secret::new(SECRET_KEY), Vec::new()))
}

/// Creates the schema.
async fn migrate(config: &Config) -> SqlStore {
    let options =
        SqlOptions { pooling: config.database.pooling, ..SqlOptions::new(config.database.url.clone(), 2, keys()) };
    let sql = SqlStore::connect(options).await.unwrap();
    sql.migrate_up(false).await.unwrap();
    sql
}

/// Creates the schema, the owner and the member of one workspace, and a second workspace of the owner.
async fn prepare(config: &Config, clock: &TestClock) {
    let sql = migrate(config).await;
    let now = clock.now();
    let hash = password_hash().await;
    sql.create_account(OWNER, "Demo", Some(&hash), now).await.unwrap();
    sql.create_account(MEMBER, "Member", Some(&hash), now).await.unwrap();
    let demo = sql.create_workspace("Demo Workspace", OWNER, now).await.unwrap();
    sql.create_workspace("Second Workspace", OWNER, now + TimeDelta::seconds(1)).await.unwrap();
    // Later than the owner, because members are listed in the order in which they joined.
    sql.add_member(demo, MEMBER, WorkspaceRole::Normal, now + TimeDelta::seconds(1)).await.unwrap();
    sql.close().await.unwrap();
}
