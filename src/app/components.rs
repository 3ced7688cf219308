//! The parts that several services, the pages and the jobs share, and the services built from them.

use std::sync::Arc;

use tokio_rustls::rustls::sign::CertifiedKey;

use super::{
    dependencies::Dependencies,
    enterprise::EnterpriseBackend,
    files,
    runtime::{self, RunResources, RunTasks},
    settings,
    tls_reload::ReloadableTls,
};
use crate::{
    config::{Config, single_sign_on::OidcProvider},
    connections::{
        backends::Backends,
        declarative::DeclarativeBackend,
        dify_cipher::{DifyCipher, WorkspaceKeys},
        plugin_daemon::{PluginDaemonClient, backend::PluginDaemonBackend, tools::PluginDaemonTools},
        presets::presets,
        standalone_cipher::StandaloneCipher,
    },
    domain::{Result, client_commands::ClientCommands, key::KeyRing},
    dsl::format::DslFormat,
    enterprise::oidc::{OidcClient, ProviderHttp},
    http_client::HttpClients,
    memory::MemoryLedger,
    ports::{
        app_file_format::AppFileFormat, credential_cipher::CredentialCipher, enterprise::Enterprise,
        lease_store::LeaseStore, run_credentials::RunCredentials, state_stores::StateStores, tool_invoker::ToolInvoker,
    },
    rpc::{Services, catalog::Catalog},
    runtime::outbound::OutboundClient,
    service::{
        app::access_gate::AccessGate,
        app_export::AppExports,
        app_import::{AppImports, ImportDependencies},
        bearer::Bearers,
        connections::{ConnectionDependencies, Connections},
        console::Console,
        console_apps::ConsoleApps,
        context::ServiceContext,
        device_flow::DeviceFlow,
        identity::Identity,
        invalidation::Invalidations,
        last_used::LastUsedTracker,
        license::Licenses,
        member::Members,
        password::Passwords,
        rate_limiter::RateLimiter,
        session::Sessions,
        setup::Setup,
        single_sign_on::{SignInBackend, SingleSignOn, SingleSignOnDependencies},
        tags::Tags,
        token_lifetime::TokenLifetimes,
    },
    store::{sql::SqlStore, state::in_process_stores},
};

/// The shared parts of one application.
pub(super) struct Components {
    /// `false` beside Dify.
    pub(super) standalone: bool,
    pub(super) context: ServiceContext,
    pub(super) stores: StateStores,
    pub(super) rate_limiter: RateLimiter,
    pub(super) keys: Arc<KeyRing>,
    pub(super) invalidations: Arc<Invalidations>,
    pub(super) last_used: Arc<LastUsedTracker>,
    pub(super) client_commands: Arc<ClientCommands>,
    pub(super) run_tasks: RunTasks,
    pub(super) memory: MemoryLedger,
    pub(super) clients: HttpClients,
    /// What `clients` present.
    pub(super) client_certificate: Option<Arc<ReloadableTls<CertifiedKey>>>,
    /// `None` in the community edition.
    pub(super) enterprise: Option<EnterpriseBackend>,
    /// The provider of the built-in OpenID Connect client.
    pub(super) identity_provider: Option<Arc<OidcClient>>,
    /// Holds the slots of runs while the shared store is unavailable.
    local_leases: Arc<dyn LeaseStore>,
}

impl Components {
    pub(super) fn new(
        config: &Config,
        sql: Arc<SqlStore>,
        stores: StateStores,
        standalone: bool,
        dependencies: Dependencies,
    ) -> Result<Self> {
        let Dependencies { clock, entropy, metrics, .. } = dependencies;
        let limits = Arc::new(config.limits.clone());
        let memory = MemoryLedger::new(config.memory.limit);
        metrics.observe_memory(&memory);
        // Limits and slots of this process while the shared stores are unavailable.
        let local = in_process_stores(&clock);
        let context =
            ServiceContext { sql, clock, entropy, limits: Arc::clone(&limits), metrics: Arc::clone(&metrics) };
        let client_certificate = config.client_certificate.as_deref().map(ReloadableTls::load_key).transpose()?;
        let presented = client_certificate.as_ref().map(ReloadableTls::subscribe);
        let clients = HttpClients::new(&config.trusted_roots, presented);
        let identity_provider =
            config.oidc.as_ref().map(|provider| identity_provider(config, provider, &context, &clients));
        Ok(Self {
            identity_provider: identity_provider.transpose()?,
            standalone,
            rate_limiter: RateLimiter::new(Arc::clone(&stores.rate_limits), local.rate_limits, limits, metrics),
            enterprise: EnterpriseBackend::new(&config.enterprise, &context, &stores, &clients)?,
            context,
            keys: Arc::new(config.secrets.key_ring()),
            invalidations: Arc::new(Invalidations::new(Arc::clone(&stores.token_cache))),
            last_used: Arc::new(LastUsedTracker::default()),
            client_commands: settings::client_commands(config),
            run_tasks: RunTasks::default(),
            memory,
            client_certificate: client_certificate.map(Arc::new),
            clients,
            local_leases: local.leases,
            stores,
        })
    }

    fn access(&self) -> Option<Arc<dyn Enterprise>> {
        self.enterprise.as_ref().map(|backend| Arc::clone(&backend.access))
    }

    fn licenses(&self) -> Licenses {
        Licenses::new(self.access())
    }

    /// The services that the RPCs and the pages call.
    pub(super) fn services(&self, config: &Config) -> Result<Services> {
        let local_leases = Arc::clone(&self.local_leases);
        let connections = self.connections(config)?;
        let credentials = Arc::new(connections.clone()) as Arc<dyn RunCredentials>;
        let tools = self.plugin_daemon(config)?.map(|daemon| PluginDaemonTools::new(daemon, &self.memory));
        let tools = tools.map(|tools| Arc::new(tools) as Arc<dyn ToolInvoker>);
        let resources = RunResources {
            tasks: &self.run_tasks,
            memory: &self.memory,
            clients: &self.clients,
            keys: &self.keys,
            credentials: &credentials,
            tools: tools.as_ref(),
            rate_limiter: &self.rate_limiter,
        };
        let access = AccessGate::new(self.access(), self.licenses());
        let (apps, runs, files) =
            runtime::apps(config, &self.context, &self.stores, local_leases, access, self.standalone, resources)?;
        let identity = Identity::new(self.context.clone());
        let passwords = Passwords::new(&self.memory)?;
        let (device_flow, console) = (self.device_flow(config), self.console(config, passwords.clone()));
        let format: Arc<dyn AppFileFormat> = Arc::new(DslFormat { has_plugin_daemon: tools.is_some() });
        let app_exports = AppExports {
            context: self.context.clone(),
            apps: apps.clone(),
            identity: identity.clone(),
            format: Arc::clone(&format),
            memory: self.memory.clone(),
            standalone: self.standalone,
        };
        Ok(Services {
            app_exports,
            console_apps: ConsoleApps::new(self.context.clone(), Arc::clone(&format), self.memory.clone()),
            app_imports: self.app_imports(config, identity.clone(), format)?,
            setup: self.setup(config, passwords),
            tags: Tags::new(self.context.clone()),
            single_sign_on: self.single_sign_on(config, &device_flow, &console),
            device_flow,
            sessions: Sessions::new(
                self.context.clone(),
                Arc::clone(&self.stores.health),
                Arc::clone(&self.invalidations),
            ),
            members: Members::new(self.context.clone(), identity.clone(), settings::members(config, self.standalone)),
            identity,
            files,
            apps,
            runs,
            bearers: self.bearers(),
            console,
            connections,
            licenses: self.licenses(),
            cookies: settings::cookies(config, self.standalone),
            about: settings::about(config),
            catalog: Catalog::new(config.enterprise.enabled, self.standalone),
            memory: self.memory.clone(),
        })
    }

    fn app_imports(&self, config: &Config, identity: Identity, format: Arc<dyn AppFileFormat>) -> Result<AppImports> {
        Ok(AppImports::new(ImportDependencies {
            context: self.context.clone(),
            identity,
            format,
            fetcher: Arc::new(self.outbound(config)?),
            pending: Arc::clone(&self.stores.pending_imports),
            leases: Arc::clone(&self.stores.leases),
            keys: Arc::clone(&self.keys),
            memory: self.memory.clone(),
            standalone: self.standalone,
        }))
    }

    /// A client for addresses that users choose. Each has shares of its own, so that one kind of work does not take the
    /// connections of another.
    fn outbound(&self, config: &Config) -> Result<OutboundClient> {
        OutboundClient::new(config.runtime.allowed_networks.clone(), &self.memory, &self.clients)
    }

    pub(super) fn connections(&self, config: &Config) -> Result<Connections> {
        let outbound = self.outbound(config)?;
        let development = config.deployment.mode.is_development();
        Ok(Connections::new(ConnectionDependencies {
            context: self.context.clone(),
            keys: Arc::clone(&self.keys),
            nonces: Arc::clone(&self.stores.nonces),
            leases: Arc::clone(&self.stores.leases),
            cipher: self.credential_cipher(config),
            dify_cache: (!self.standalone).then(|| Arc::clone(&self.stores.credential_cache)),
            cache: self.stores.connection_cache.clone().filter(|_| self.standalone),
            backend: Arc::new(Backends {
                declarative: DeclarativeBackend::new(Arc::new(outbound), Arc::clone(&self.context.clock), development),
                plugin_daemon: self
                    .plugin_daemon(config)?
                    .map(|daemon| PluginDaemonBackend::new(daemon, Arc::clone(&self.context.clock), development)),
            }),
            presets: presets()?,
            settings: settings::connections(config),
        }))
    }

    /// A client of the plugin daemon; `None` where none is configured.
    fn plugin_daemon(&self, config: &Config) -> Result<Option<PluginDaemonClient>> {
        let (metrics, clients) = (&self.context.metrics, &self.clients);
        let settings = config.plugin_daemon.as_ref().map(|daemon| settings::plugin_daemon(daemon, metrics, clients));
        settings.map(|settings| PluginDaemonClient::new(&settings)).transpose()
    }

    fn credential_cipher(&self, config: &Config) -> Arc<dyn CredentialCipher> {
        let keys = Arc::clone(&self.keys);
        if self.standalone {
            return Arc::new(StandaloneCipher::new(keys));
        }
        let (sql, clock) = (Arc::clone(&self.context.sql), Arc::clone(&self.context.clock));
        Arc::new(DifyCipher::new(keys, WorkspaceKeys::new(sql, files::dify_storage(config, &self.clients), clock)))
    }

    fn bearers(&self) -> Bearers {
        Bearers::new(
            self.context.clone(),
            Arc::clone(&self.stores.token_cache),
            self.rate_limiter.clone(),
            Arc::clone(&self.invalidations),
            Arc::clone(&self.last_used),
            Arc::clone(&self.client_commands),
            self.standalone,
        )
    }

    fn console(&self, config: &Config, passwords: Passwords) -> Console {
        Console::new(
            self.context.clone(),
            Arc::clone(&self.stores.login_attempts),
            Arc::clone(&self.keys),
            passwords,
            settings::console(config, self.standalone),
        )
    }

    fn setup(&self, config: &Config, passwords: Passwords) -> Setup {
        let init_password = config.secrets.init_password.clone();
        Setup::new(self.context.clone(), passwords, Arc::clone(&self.keys), init_password)
    }

    fn single_sign_on(&self, config: &Config, device_flow: &DeviceFlow, console: &Console) -> SingleSignOn {
        let remote = self.enterprise.as_ref().and_then(|backend| backend.sign_in.clone()).map(SignInBackend::Remote);
        let built_in = || self.identity_provider.clone().map(|provider| SignInBackend::BuiltIn(provider as _));
        SingleSignOn::new(SingleSignOnDependencies {
            context: self.context.clone(),
            device_flow: device_flow.clone(),
            console: console.clone(),
            nonces: Arc::clone(&self.stores.nonces),
            keys: Arc::clone(&self.keys),
            backend: remote.or_else(built_in),
            settings: settings::single_sign_on(config, self.standalone),
        })
    }

    pub(super) fn token_lifetimes(&self, config: &Config) -> TokenLifetimes {
        TokenLifetimes::new(self.context.clone(), self.access(), settings::token_lifetime(config))
    }

    fn device_flow(&self, config: &Config) -> DeviceFlow {
        DeviceFlow::new(
            self.context.clone(),
            Arc::clone(&self.stores.grants),
            self.rate_limiter.clone(),
            Arc::clone(&self.keys),
            Arc::clone(&self.invalidations),
            self.token_lifetimes(config),
            Arc::new(settings::device_flow(config, Arc::clone(&self.client_commands))),
        )
    }
}

fn identity_provider(
    config: &Config,
    provider: &OidcProvider,
    context: &ServiceContext,
    clients: &HttpClients,
) -> Result<Arc<OidcClient>> {
    let http = ProviderHttp::new(clients, &provider.issuer, Arc::clone(&context.metrics.upstreams))?;
    Ok(Arc::new(OidcClient::new(http, Arc::clone(&context.clock), settings::oidc(config, provider))))
}
