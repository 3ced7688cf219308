//! The parts that several services, the pages and the jobs share, and the services built from them.

use std::sync::Arc;

use super::{
    dependencies::Dependencies,
    enterprise::EnterpriseBackend,
    runtime::{self, RunResources, RunTasks},
    settings,
};
use crate::{
    config::Config,
    domain::{Result, key::KeyRing},
    memory::MemoryLedger,
    ports::{enterprise::Enterprise, lease_store::LeaseStore, state_stores::StateStores},
    rpc::Services,
    service::{
        app::access_gate::AccessGate, bearer::Bearers, console::Console, context::ServiceContext,
        device_flow::DeviceFlow, identity::Identity, invalidation::Invalidations, last_used::LastUsedTracker,
        license::Licenses, password::Passwords, rate_limiter::RateLimiter, session::Sessions,
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
        Ok(Self {
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
        Ok(Services {
            device_flow: self.device_flow(config),
            sessions: Sessions::new(
                self.context.clone(),
                Arc::clone(&self.stores.health),
                Arc::clone(&self.invalidations),
            ),
            identity: Identity::new(self.context.clone()),
            apps,
            runs,
            bearers: self.bearers(),
            console: self.console(config)?,
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

    fn device_flow(&self, config: &Config) -> DeviceFlow {
        DeviceFlow::new(
            self.context.clone(),
            Arc::clone(&self.stores.grants),
            self.rate_limiter.clone(),
            Arc::clone(&self.keys),
            Arc::clone(&self.invalidations),
            TokenLifetimes::new(self.context.clone(), self.access(), settings::token_lifetime(config)),
            Arc::new(settings::device_flow(config)),
        )
    }
}
