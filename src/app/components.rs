//! The parts that several services, the pages and the jobs share, and the services built from them.

use std::sync::Arc;

use super::{
    dependencies::Dependencies,
    enterprise::EnterpriseBackend,
    runtime::{self, RunResources, RunTasks},
    settings,
};
use crate::{
    config::{Config, single_sign_on::OidcProvider},
    domain::{Error, Result, key::KeyRing},
    enterprise::oidc::OidcClient,
    http_client::client_builder,
    memory::MemoryLedger,
    ports::{clock::Clock, enterprise::Enterprise, lease_store::LeaseStore, state_stores::StateStores},
    rpc::Services,
    service::{
        app::access_gate::AccessGate,
        bearer::Bearers,
        console::Console,
        context::ServiceContext,
        device_flow::DeviceFlow,
        identity::Identity,
        invalidation::Invalidations,
        last_used::LastUsedTracker,
        license::Licenses,
        password::Passwords,
        rate_limiter::RateLimiter,
        session::Sessions,
        single_sign_on::{SignInBackend, SingleSignOn, SingleSignOnDependencies},
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
    pub(super) run_tasks: RunTasks,
    pub(super) memory: MemoryLedger,
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
        let identity_provider = config.oidc.as_ref().map(|provider| identity_provider(config, provider, &clock));
        let context =
            ServiceContext { sql, clock, entropy, limits: Arc::clone(&limits), metrics: Arc::clone(&metrics) };
        Ok(Self {
            identity_provider: identity_provider.transpose()?,
            standalone,
            rate_limiter: RateLimiter::new(Arc::clone(&stores.rate_limits), local.rate_limits, limits, metrics),
            enterprise: EnterpriseBackend::new(&config.enterprise, &context, &stores)?,
            context,
            keys: Arc::new(config.secrets.key_ring()),
            invalidations: Arc::new(Invalidations::new(Arc::clone(&stores.token_cache))),
            last_used: Arc::new(LastUsedTracker::default()),
            run_tasks: RunTasks::default(),
            memory,
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
        let resources = RunResources { tasks: &self.run_tasks, memory: &self.memory };
        let access = AccessGate::new(self.access(), self.licenses());
        let (apps, runs) =
            runtime::apps(config, &self.context, &self.stores, local_leases, access, self.standalone, resources)?;
        let (device_flow, console) = (self.device_flow(config), self.console(config)?);
        Ok(Services {
            single_sign_on: self.single_sign_on(config, &device_flow, &console),
            device_flow,
            sessions: Sessions::new(
                self.context.clone(),
                Arc::clone(&self.stores.health),
                Arc::clone(&self.invalidations),
            ),
            identity: Identity::new(self.context.clone()),
            apps,
            runs,
            bearers: self.bearers(),
            console,
            licenses: self.licenses(),
            cookies: settings::cookies(config, self.standalone),
            about: settings::about(config),
            memory: self.memory.clone(),
        })
    }

    fn bearers(&self) -> Bearers {
        Bearers::new(
            self.context.clone(),
            Arc::clone(&self.stores.token_cache),
            self.rate_limiter.clone(),
            Arc::clone(&self.invalidations),
            Arc::clone(&self.last_used),
            self.standalone,
        )
    }

    fn console(&self, config: &Config) -> Result<Console> {
        Ok(Console::new(
            self.context.clone(),
            Arc::clone(&self.stores.login_attempts),
            Arc::clone(&self.keys),
            Passwords::new(&self.memory)?,
            settings::console(config, self.standalone),
        ))
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
            Arc::new(settings::device_flow(config)),
        )
    }
}

fn identity_provider(config: &Config, provider: &OidcProvider, clock: &Arc<dyn Clock>) -> Result<Arc<OidcClient>> {
    let http = client_builder()?.build().map_err(Error::internal)?;
    Ok(Arc::new(OidcClient::new(http, Arc::clone(clock), settings::oidc(config, provider))))
}
