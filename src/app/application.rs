//! Builds the application: services, codecs, pages, jobs, and the router of each listener.

use std::sync::Arc;

use axum::Router;

use super::{
    dependencies::Dependencies,
    runtime::{self, RunTasks},
    settings,
};
use crate::{
    config::{Config, cors::AllowOrigins, mode::Mode},
    domain::{Result, key::KeyRing},
    http::{
        client_address::TrustedProxies,
        cors,
        edge::{self, EdgeSettings},
        fallback, grpc_door, json_door,
        pages::{self, PageDependencies, PageRoutes},
        well_known,
    },
    jobs::Jobs,
    pipeline::{
        Pipeline,
        policy::{Credential, Policy},
    },
    ports::state_stores::StateStores,
    rpc::{Rpc, UseCases},
    service::{
        bearer::Bearers, console::Console, context::ServiceContext, device_flow::DeviceFlow, identity::Identity,
        invalidation::Invalidations, last_used::LastUsedTracker, password::Passwords, rate_limiter::RateLimiter,
        session::Sessions,
    },
    store::{sql::SqlStore, state::in_process_stores},
    telemetry::request_id::RequestIds,
};

/// The kinds of listeners that serve the API. The admin listener is not one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// JSON, gRPC and pages. Has the methods of internal services in `dev` only.
    Public,
    /// gRPC alone, with the methods of internal services.
    Grpc,
    /// The JSON methods of internal services alone.
    Inner,
}

/// Services, pages and jobs over connected stores.
pub struct Application {
    rpc: Rpc,
    pipeline: Pipeline,
    edge: Arc<EdgeSettings>,
    pages: PageRoutes,
    jobs: Arc<Jobs>,
    context: ServiceContext,
    stores: StateStores,
    rate_limiter: RateLimiter,
    issuer: String,
    cors_origins: AllowOrigins,
    internal_on_public: bool,
    reflection: bool,
    run_tasks: RunTasks,
}

impl Application {
    /// Builds an application over stores that are already connected.
    pub fn new(
        config: &Config,
        sql: Arc<SqlStore>,
        stores: StateStores,
        standalone: bool,
        dependencies: Dependencies,
    ) -> Result<Self> {
        let Dependencies { clock, entropy, metrics, .. } = dependencies;
        let limits = Arc::new(config.limits.clone());
        // Limits and slots of this process, for as long as the shared stores are unavailable.
        let local = in_process_stores(&clock);
        let rate_limiter = RateLimiter::new(
            Arc::clone(&stores.rate_limits),
            local.rate_limits,
            Arc::clone(&limits),
            Arc::clone(&metrics),
        );
        let context = ServiceContext { sql, clock, entropy, limits, metrics };
        let keys: Arc<KeyRing> = Arc::new(config.secrets.key_ring());
        let invalidations = Arc::new(Invalidations::new(Arc::clone(&stores.token_cache)));
        let last_used = Arc::new(LastUsedTracker::default());
        let bearers = Bearers::new(
            context.clone(),
            Arc::clone(&stores.token_cache),
            rate_limiter.clone(),
            Arc::clone(&invalidations),
            Arc::clone(&last_used),
            standalone,
        );
        let settings = settings::console(config, standalone);
        let console = Console::new(
            context.clone(),
            Arc::clone(&stores.login_attempts),
            Arc::clone(&keys),
            Passwords::default(),
            settings,
        );
        let settings = Arc::new(settings::device_flow(config));
        let device_flow = DeviceFlow::new(
            context.clone(),
            Arc::clone(&stores.grants),
            rate_limiter.clone(),
            Arc::clone(&keys),
            Arc::clone(&invalidations),
            settings,
        );
        let cookies = settings::cookies(config, standalone);
        let settings = settings::pipeline(config, standalone, &cookies);
        let pipeline = Pipeline::new(rate_limiter.clone(), bearers.clone(), console.clone(), settings);
        let run_tasks = RunTasks::default();
        let (apps, runs) = runtime::apps(config, &context, &stores, local.leases, standalone, &run_tasks)?;
        let rpc = Rpc(Arc::new(UseCases {
            device_flow,
            sessions: Sessions::new(context.clone(), Arc::clone(&stores.health), Arc::clone(&invalidations)),
            identity: Identity::new(context.clone()),
            apps,
            runs,
            bearers,
            console,
            cookies,
            about: settings::about(config),
        }));
        let pages = pages::routes(PageDependencies {
            rpc: rpc.clone(),
            pipeline: pipeline.clone(),
            keys,
            entropy: Arc::clone(&context.entropy),
            clock: Arc::clone(&context.clock),
            settings: settings::pages(config, standalone),
        })?;
        let jobs = Arc::new(Jobs {
            context: context.clone(),
            leases: Arc::clone(&stores.leases),
            invalidations,
            last_used,
            retention: settings::retention(config),
        });
        let development = config.deployment.mode == Mode::Dev;
        let edge = Arc::new(EdgeSettings {
            trusted_proxies: TrustedProxies::new(config.listeners.trusted_proxies.clone()),
            loopback_hosts_only: development,
            metrics: Arc::clone(&context.metrics),
            request_ids: Arc::new(RequestIds::new(&*context.entropy)?),
        });
        Ok(Self {
            rpc,
            pipeline,
            edge,
            pages,
            jobs,
            context,
            stores,
            rate_limiter,
            issuer: config.urls.issuer().to_owned(),
            cors_origins: config.cors.clone(),
            internal_on_public: development,
            reflection: development || config.deployment.grpc_reflection,
            run_tasks,
        })
    }

    /// The routes and layers of a listener, outermost layer last.
    pub fn router(&self, listener: ListenerKind) -> Result<Router> {
        let internal = listener != ListenerKind::Public || self.internal_on_public;
        let is_internal = |policy: &Policy| policy.credential == Credential::Service;
        let grpc = grpc_door::router(&self.rpc, &self.pipeline, self.reflection, move |policy| {
            internal || !is_internal(policy)
        })?;
        let router = match listener {
            ListenerKind::Grpc => grpc,
            ListenerKind::Inner => json_door::router(&self.rpc, &self.pipeline, is_internal),
            ListenerKind::Public => {
                let cookie_route = |policy: &Policy| policy.json_only;
                let api = json_door::router(&self.rpc, &self.pipeline, move |policy| {
                    !cookie_route(policy) && (internal || !is_internal(policy))
                });
                let introspection = internal && self.pipeline.has_service_key();
                let api = api.merge(well_known::router(&self.issuer, introspection));
                // Added before CORS, so that CORS answers preflights: the routes reject OPTIONS as an unknown method.
                let api = api.method_not_allowed_fallback(fallback::method_not_allowed);
                cors::allow(api, &self.cors_origins)
                    .merge(json_door::router(&self.rpc, &self.pipeline, cookie_route))
                    .merge(self.pages.router.clone())
                    .merge(grpc)
            }
        };
        let router = match listener {
            ListenerKind::Public => router.fallback_service(self.pages.not_found.clone()),
            ListenerKind::Grpc | ListenerKind::Inner => router.fallback(fallback::not_found),
        };
        let router = router.method_not_allowed_fallback(fallback::method_not_allowed);
        Ok(edge::wrap(router, &self.edge))
    }

    /// The public base URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    pub fn run_tasks(&self) -> &RunTasks {
        &self.run_tasks
    }

    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.jobs
    }

    pub fn context(&self) -> &ServiceContext {
        &self.context
    }

    pub fn rate_limiter(&self) -> &RateLimiter {
        &self.rate_limiter
    }

    pub fn stores(&self) -> &StateStores {
        &self.stores
    }
}
