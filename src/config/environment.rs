//! The configuration of one process, and how each command reads it from the environment.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    console::ConsoleConfig,
    cors::AllowOrigins,
    data_dir,
    database::Database,
    dify_api::DifyApi,
    enterprise::Enterprise,
    limits,
    listeners::Listeners,
    memory::Memory,
    mode::{Deployment, Mode},
    oauth::OAuth,
    reader::{Env, Problems, Reader},
    redis::Redis,
    runtime::Runtime,
    secrets::Secrets,
    telemetry::TelemetryConfig,
    urls::Urls,
};
use crate::{
    domain::{limit::Limits, secret::Secret},
    ports::entropy::SystemEntropy,
};

/// The configuration of one process. Its `Debug` prints no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The deployment as a whole.
    pub deployment: Deployment,
    /// Keys.
    pub secrets: Secrets,
    /// Public URLs and what derives from them.
    pub urls: Urls,
    /// Where the process listens.
    pub listeners: Listeners,
    /// Where the process keeps files of its own, if it does; empty when there is no such place.
    pub data_dir: PathBuf,
    /// SQL.
    pub database: Database,
    /// Shared state; `None`: it stays in the process.
    pub redis: Option<Redis>,
    /// Rate limits.
    pub limits: Limits,
    /// Tokens and the device flow.
    pub oauth: OAuth,
    /// The browser session.
    pub console: ConsoleConfig,
    /// Cross-origin callers.
    pub cors: AllowOrigins,
    /// Calls to Dify's service API.
    pub dify_api: DifyApi,
    /// The Enterprise edition.
    pub enterprise: Enterprise,
    /// The memory that the ledger divides.
    pub memory: Memory,
    /// Models and the bounds of runs.
    pub runtime: Runtime,
    /// Logs, traces, metrics.
    pub telemetry: TelemetryConfig,
    /// What is allowed but probably not meant: a sentence each, for the log.
    pub warnings: Vec<String>,
}

/// Where `dev` listens unless it is told otherwise.
const DEV_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

/// What `dev` takes from its command line.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// Where to listen: loopback, port 0 for any.
    pub listen: SocketAddr,
    /// The data directory, as [`Config::dev_data_dir`] names it.
    pub data_dir: PathBuf,
}

impl Config {
    /// The configuration of `serve`, or everything that is wrong with it.
    pub fn for_serve(env: Env<'_>) -> Result<Self, Problems> {
        Self::from_environment(env, false)
    }

    /// The configuration of the operator's commands: that of `serve`, but on the data directory of a `dev` they take its
    /// `SECRET_KEY` and its URL where the environment has none.
    pub fn for_operator(env: Env<'_>) -> Result<Self, Problems> {
        Self::from_environment(env, true)
    }

    fn from_environment(env: Env<'_>, operator: bool) -> Result<Self, Problems> {
        let mut reader = Reader::new(env);
        let data_dir = data_dir::read(&reader);
        let database = Database::read(&mut reader, data_dir.as_deref());
        let redis = Redis::read(&mut reader);
        let listeners = Listeners::read(&mut reader);
        let assumed = match &data_dir {
            Some(path) if operator && database.is_in(path) => Assumed::from_dev(&mut reader, path),
            _ => Assumed::default(),
        };
        let config = Self::read(&mut reader, assumed, data_dir.unwrap_or_default(), database, redis, listeners);
        let kind = config.database.kind;
        let redis = config.redis.is_some() || reader.has_problem_with("REDIS_");
        if kind.is_server() && !redis && !config.deployment.single_replica {
            reader.problem(
                "REDIS_URL",
                format_args!(
                    "is not set although the database is {}, which several replicas can share; set REDIS_URL (or REDIS_HOST), \
                     or SINGLE_REPLICA=true if there will only ever be one process",
                    kind.name()
                ),
            );
        }
        config.finish(reader)
    }

    /// The configuration of `dev`: every variable but those of stores and listeners. Makes and keeps a `SECRET_KEY` in
    /// the data directory when the environment has none, so the caller holds its lock.
    pub fn for_dev(options: &DevOptions, env: Env<'_>) -> Result<Self, Problems> {
        let mut reader = Reader::new(env);
        let listeners = Listeners::dev(&mut reader, options.listen);
        let database = Database::embedded(&mut reader, &options.data_dir);
        let generated = if reader.text("SECRET_KEY").is_none() {
            data_dir::kept_secret_key(&options.data_dir, &SystemEntropy)
                .map_err(|fault| reader.problem("--data", format_args!("cannot keep a secret key: {fault}")))
                .ok()
        } else {
            None
        };
        let assumed = Assumed { is_dev: true, listen: Some(options.listen), secret_key: generated };
        Self::read(&mut reader, assumed, options.data_dir.clone(), database, None, listeners).finish(reader)
    }

    /// Where `dev` keeps its data when `--data` is not given: `DATA_DIR`, else the user's data directory.
    pub fn dev_data_dir(env: Env<'_>) -> Result<PathBuf, Problems> {
        let mut reader = Reader::new(env);
        let path = data_dir::read(&reader);
        if path.is_none() {
            data_dir::missing(&mut reader);
        }
        reader.finish().map(|_| path.unwrap_or_default())
    }

    /// Puts the address the public listener was bound to in place, for `dev` with port 0.
    pub fn bound_to(&mut self, address: SocketAddr) {
        self.listeners.public = address;
        self.urls.bound_to(address);
    }

    /// Whether this process keeps anything in its data directory, so that it must lock it.
    pub fn uses_data_dir(&self) -> bool {
        !self.database.kind.is_server() || self.deployment.mode == Mode::Dev
    }

    fn read(
        reader: &mut Reader<'_>,
        assumed: Assumed,
        data_dir: PathBuf,
        database: Database,
        redis: Option<Redis>,
        listeners: Listeners,
    ) -> Self {
        let Assumed { is_dev, listen, secret_key } = assumed;
        let deployment = Deployment::read(reader, is_dev);
        let mode = deployment.mode;
        let oauth = OAuth::read(reader);
        Self {
            secrets: Secrets::read(reader, mode, secret_key),
            urls: Urls::read(reader, mode, listen),
            listeners,
            data_dir,
            database,
            redis,
            limits: limits::read(reader),
            console: ConsoleConfig::read(reader),
            cors: AllowOrigins::read(reader, oauth.bearer_enabled),
            dify_api: DifyApi::read(reader),
            enterprise: Enterprise::read(reader),
            memory: Memory::read(reader),
            runtime: Runtime::read(reader, is_dev),
            telemetry: TelemetryConfig::read(reader),
            oauth,
            deployment,
            warnings: Vec::new(),
        }
    }

    fn finish(mut self, reader: Reader<'_>) -> Result<Self, Problems> {
        self.warnings = reader.finish()?;
        Ok(self)
    }
}

/// What a command supplies where the environment says nothing.
#[derive(Default)]
struct Assumed {
    is_dev: bool,
    /// Where people reach the server, as `dev` has it.
    listen: Option<SocketAddr>,
    secret_key: Option<Secret>,
}

impl Assumed {
    /// What a `dev` on this data directory uses; nothing where there has been none, or the environment has a key.
    fn from_dev(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        if reader.text("SECRET_KEY").is_some() {
            return Self::default();
        }
        match data_dir::found_secret_key(data_dir) {
            Ok(Some(key)) => Self { is_dev: false, listen: Some(DEV_LISTEN), secret_key: Some(key) },
            Ok(None) => Self::default(),
            Err(fault) => {
                reader.problem("DATA_DIR", format_args!("has a secret key that cannot be read: {fault}"));
                Self::default()
            }
        }
    }
}
