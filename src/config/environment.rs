//! The configuration of one process, and how each command reads it from the environment.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    branding,
    client_certificates::read_trusted_roots,
    console::ConsoleConfig,
    cors::AllowOrigins,
    data_dir::{self, DataDirError},
    database::Database,
    dify_api::DifyApi,
    enterprise::EnterpriseConfig,
    files::FilesConfig,
    limits,
    listeners::Listeners,
    memory::Memory,
    mode::{Deployment, Mode},
    oauth::OAuth,
    plugin_daemon::PluginDaemon,
    reader::{Env, Problems, Reader},
    redis::Redis,
    runtime::Runtime,
    secrets::Secrets,
    settings,
    single_sign_on::OidcProvider,
    telemetry::TelemetryConfig,
    tls::TlsFiles,
    urls::Urls,
};
use crate::{
    domain::{branding::Branding, limit::Limits, secret::Secret},
    ports::{
        clock::{Clock as _, SystemClock},
        entropy::SystemEntropy,
    },
    trusted_roots::TrustedRoots,
};

/// The configuration of one process. Its `Debug` prints no secret.
#[derive(Clone, Debug)]
pub struct Config {
    pub deployment: Deployment,
    pub secrets: Secrets,
    pub urls: Urls,
    pub listeners: Listeners,
    /// Empty if there is neither `DATA_DIR` nor a home directory.
    pub data_dir: PathBuf,
    /// Whom outgoing TLS connections trust.
    pub trusted_roots: TrustedRoots,
    /// What this process presents to the HTTPS servers that the configuration names.
    pub client_certificate: Option<Arc<TlsFiles>>,
    pub database: Database,
    /// `None`: state stays in the process.
    pub redis: Option<Redis>,
    pub limits: Limits,
    pub oauth: OAuth,
    pub console: ConsoleConfig,
    pub cors: AllowOrigins,
    pub dify_api: DifyApi,
    pub enterprise: EnterpriseConfig,
    /// `None`: providers without an `oauth` block cannot be connected.
    pub plugin_daemon: Option<PluginDaemon>,
    /// The identity provider of the built-in client.
    pub oidc: Option<OidcProvider>,
    /// The memory that the ledger divides.
    pub memory: Memory,
    pub runtime: Runtime,
    pub files: FilesConfig,
    /// How the pages look.
    pub branding: Arc<Branding>,
    pub telemetry: TelemetryConfig,
    /// Sentences for the log about values that are allowed but probably a mistake.
    pub warnings: Vec<String>,
}

/// The default address of `dev`.
const DEV_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5001);

#[derive(Clone, Debug)]
pub struct DevOptions {
    /// A loopback address; port 0 takes a free port.
    pub listen: SocketAddr,
    /// The result of [`Config::dev_data_dir`] unless `--data` is given.
    pub data_dir: PathBuf,
}

impl Config {
    /// The configuration of `serve`, or all problems with it.
    pub fn for_serve(env: Env<'_>) -> Result<Self, Problems> {
        Self::from_environment(env, false)
    }

    /// The configuration of the operator's commands: that of `serve`. On the data directory of a `dev`, its secret key
    /// and URL apply if the environment has none.
    pub fn for_operator(env: Env<'_>) -> Result<Self, Problems> {
        Self::from_environment(env, true)
    }

    fn from_environment(env: Env<'_>, operator: bool) -> Result<Self, Problems> {
        let mut reader = Reader::new(env);
        let data_dir = data_dir::read(&reader);
        let database = Database::read(&mut reader, data_dir.as_deref());
        let redis = Redis::read(&mut reader);
        let listeners = Listeners::read(&mut reader);
        let dev_values = match &data_dir {
            Some(path) if operator && database.is_in(path) => DevValues::from_dev(&mut reader, path),
            _ => DevValues::default(),
        };
        let config = Self::read(&mut reader, dev_values, data_dir.unwrap_or_default(), database, redis, listeners);
        let has_inner = config.listeners.inner.is_some() && !reader.has_problem_with("INNER_");
        if has_inner && config.secrets.inner_api_key.is_none() {
            reader.problem(
                &settings::INNER_LISTEN,
                "is set without INNER_API_KEY, so every call of it would be refused; set INNER_API_KEY, or remove it",
            );
        }
        let kind = config.database.kind;
        let redis = config.redis.is_some() || reader.has_problem_with("REDIS_");
        if kind.is_server() && !redis && !config.deployment.single_replica {
            reader.problem(
                &settings::REDIS_URL,
                format_args!(
                    "is not set although the database is {}, which several replicas can share; \
                     set REDIS_URL (or REDIS_HOST), or SINGLE_REPLICA=true if there will only ever be one process",
                    kind.name()
                ),
            );
        }
        config.finish(reader)
    }

    /// The configuration of `dev`: every setting except those of stores and listeners. Generates a secret key in the
    /// data directory if the environment has none, so the caller holds the directory's lock.
    pub fn for_dev(options: &DevOptions, env: Env<'_>) -> Result<Self, Problems> {
        let mut reader = Reader::for_dev(env);
        let listeners = Listeners::dev(&mut reader, options.listen);
        let database = Database::embedded(&mut reader, &options.data_dir);
        let generated = if reader.text(&settings::SECRET_KEY).is_none() {
            data_dir::find_or_generate_secret_key(&options.data_dir, &SystemEntropy)
                .map_err(|error| reader.problem("--data", format_args!("cannot keep a secret key: {error}")))
                .ok()
        } else {
            None
        };
        let dev_values = DevValues { listen: Some(options.listen), secret_key: generated };
        Self::read(&mut reader, dev_values, options.data_dir.clone(), database, None, listeners).finish(reader)
    }

    /// The data directory of `dev` if `--data` is not given: `DATA_DIR`, or a directory in the home directory.
    pub fn dev_data_dir(env: Env<'_>) -> Result<PathBuf, Problems> {
        let mut reader = Reader::new(env);
        let path = data_dir::read(&reader);
        if path.is_none() {
            data_dir::missing(&mut reader);
        }
        reader.finish().map(|_| path.unwrap_or_default())
    }

    /// Replaces the address of the public listener by the bound one, for `dev` with port 0.
    pub fn bound_to(&mut self, address: SocketAddr) {
        self.listeners.public = address;
        self.urls.bound_to(address);
    }

    /// Whether this process writes to its data directory and so must lock it.
    pub fn uses_data_dir(&self) -> bool {
        !self.database.kind.is_server() || self.deployment.mode == Mode::Dev
    }

    /// Creates the data directory and the file of the embedded database, accessible by their owner only.
    pub(crate) fn create_data_dir(&self) -> Result<(), DataDirError> {
        data_dir::create(&self.data_dir)?;
        if self.database.is_in(&self.data_dir) { data_dir::create_database_file(&self.data_dir) } else { Ok(()) }
    }

    fn read(
        reader: &mut Reader<'_>,
        dev_values: DevValues,
        data_dir: PathBuf,
        database: Database,
        redis: Option<Redis>,
        listeners: Listeners,
    ) -> Self {
        let DevValues { listen, secret_key } = dev_values;
        let deployment = Deployment::read(reader);
        let mode = deployment.mode;
        let oauth = OAuth::read(reader);
        let enterprise = EnterpriseConfig::read(reader);
        let trusted_roots = read_trusted_roots(reader);
        let (certificate, key) = (&settings::SSL_CLIENT_CERT_FILE, &settings::SSL_CLIENT_KEY_FILE);
        Self {
            oidc: OidcProvider::read(reader, mode, &enterprise),
            files: FilesConfig::read(reader, &data_dir),
            branding: Arc::new(branding::read(reader)),
            secrets: Secrets::read(reader, mode, secret_key, SystemClock.now()),
            urls: Urls::read(reader, mode, listen),
            listeners,
            data_dir,
            client_certificate: TlsFiles::read(reader, certificate, key, None).map(Arc::new),
            database,
            redis,
            limits: limits::read(reader),
            console: ConsoleConfig::read(reader),
            cors: AllowOrigins::read(reader, oauth.bearer_enabled),
            dify_api: DifyApi::read(reader),
            enterprise,
            plugin_daemon: PluginDaemon::read(reader),
            memory: Memory::read(reader),
            runtime: Runtime::read(reader),
            telemetry: TelemetryConfig::read(reader, &trusted_roots),
            trusted_roots,
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

/// Values of `dev` that apply where the environment has none.
#[derive(Default)]
struct DevValues {
    /// The address that the public URL derives from.
    listen: Option<SocketAddr>,
    secret_key: Option<Secret>,
}

impl DevValues {
    /// Reads the values of a `dev` on this data directory. They are absent if there was none, or if the environment has
    /// a secret key.
    fn from_dev(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        if reader.text(&settings::SECRET_KEY).is_some() {
            return Self::default();
        }
        match data_dir::find_secret_key(data_dir) {
            Ok(Some(key)) => Self { listen: Some(DEV_LISTEN), secret_key: Some(key) },
            Ok(None) => Self::default(),
            Err(error) => {
                reader.problem(&settings::DATA_DIR, format_args!("has a secret key that cannot be read: {error}"));
                Self::default()
            }
        }
    }
}
