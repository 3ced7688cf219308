//! Builds the application: services, codecs, pages, jobs, and the router of each listener.

use std::sync::Arc;

use http::HeaderValue;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::{
    components::Components, dependencies::Dependencies, runtime::RunTasks, settings, tls_reload::ReloadableTls,
};
use crate::{
    config::{Config, cors::AllowOrigins, mode::Mode},
    domain::{Error, Result},
    http::{
        anonymous::AnonymousLimits,
        client_address::TrustedProxies,
        cors,
        edge::{self, EdgeSettings},
        fallback, file_preview,
        grpc_door::{self, GrpcHealth},
        json_door,
        listen::RequestService,
        pages::{self, PageDependencies, PageRoutes},
        well_known,
    },
    jobs::Jobs,
    pipeline::{
        Pipeline,
        policy::{Credential, ErrorShape, Policy},
    },
    ports::state_stores::StateStores,
    rpc::{Rpc, Services},
    service::{context::ServiceContext, rate_limiter::RateLimiter},
    store::sql::SqlStore,
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
    components: Components,
    services: Arc<Services>,
    rpc: Rpc,
    pipeline: Pipeline,
    edge: EdgeSettings,
    pages: PageRoutes,
    jobs: Arc<Jobs>,
    issuer: String,
    cors_origins: AllowOrigins,
    internal_on_public: bool,
    reflection: bool,
    grpc_health: GrpcHealth,
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
        let components = Components::new(config, sql, stores, standalone, dependencies)?;
        let services = Arc::new(components.services(config)?);
        let pipeline = pipeline(config, &components, &services);
        let development = config.deployment.mode == Mode::Dev;
        Ok(Self {
            edge: edge_settings(config, &components, &services)?,
            rpc: Rpc::new(Arc::clone(&services)),
            pages: page_routes(config, &components, &services, &pipeline)?,
            jobs: Arc::new(jobs(config, &components, &services)),
            issuer: config.urls.issuer().to_owned(),
            cors_origins: config.cors.clone(),
            internal_on_public: development,
            reflection: development || config.deployment.grpc_reflection,
            grpc_health: GrpcHealth::default(),
            components,
            services,
            pipeline,
        })
    }

    /// The routes and layers of a listener, outermost layer last.
    pub fn service(&self, listener: ListenerKind) -> Result<RequestService> {
        let internal = listener != ListenerKind::Public || self.internal_on_public;
        // The routes under `/inner/` are on their own listener, in development too.
        let is_inner = |policy: &Policy| policy.errors == ErrorShape::Inner;
        let is_internal = |policy: &Policy| policy.credential == Credential::Service;
        let mounted = move |policy: &Policy| internal || !is_internal(policy);
        let grpc = grpc_door::router(&self.rpc, &self.pipeline, self.reflection, &self.grpc_health, mounted)?;
        let router = match listener {
            ListenerKind::Grpc => grpc,
            ListenerKind::Inner => json_door::router(&self.rpc, &self.pipeline, is_internal),
            ListenerKind::Public => {
                let cookie_route = |policy: &Policy| policy.json_only;
                let api = json_door::router(&self.rpc, &self.pipeline, move |policy| {
                    !cookie_route(policy) && !is_inner(policy) && (internal || !is_internal(policy))
                });
                let introspection = internal && self.pipeline.has_service_key();
                let api = api.merge(file_preview::router(&self.rpc));
                let api =
                    api.merge(well_known::router(&self.issuer, introspection, self.components.enterprise.is_some()));
                // Added before CORS, so that CORS answers preflights: the routes reject OPTIONS as an unknown method.
                let api = api.method_not_allowed_fallback(fallback::method_not_allowed);
                cors::allow(api, &self.cors_origins)
                    .merge(json_door::router(&self.rpc, &self.pipeline, |policy| {
                        cookie_route(policy) && !policy.redirects
                    }))
                    .merge(
                        self.pages
                            .with_error_pages(json_door::router(&self.rpc, &self.pipeline, |policy| policy.redirects)),
                    )
                    .merge(self.pages.router.clone())
                    .merge(cors::allow_grpc_web(grpc, &self.cors_origins))
            }
        };
        let router = match listener {
            ListenerKind::Public => router.fallback_service(self.pages.not_found.clone()),
            ListenerKind::Grpc | ListenerKind::Inner => router.fallback(fallback::not_found),
        };
        let router = router.method_not_allowed_fallback(fallback::method_not_allowed);
        // Only internal services reach the other listeners, and in development only this machine.
        let edge = EdgeSettings { trusts_peers: internal, ..self.edge.clone() };
        Ok(edge::wrap(router, &Arc::new(edge)))
    }

    pub(super) const fn grpc_health(&self) -> &GrpcHealth {
        &self.grpc_health
    }

    /// The public base URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    pub fn run_tasks(&self) -> &RunTasks {
        &self.components.run_tasks
    }

    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.jobs
    }

    /// The client certificate, to be loaded again when its files change.
    pub(super) fn client_certificate(&self) -> Option<&Arc<ReloadableTls<CertifiedKey>>> {
        self.components.client_certificate.as_ref()
    }

    pub fn context(&self) -> &ServiceContext {
        &self.components.context
    }

    pub fn rate_limiter(&self) -> &RateLimiter {
        &self.components.rate_limiter
    }

    pub fn stores(&self) -> &StateStores {
        &self.components.stores
    }
}

fn pipeline(config: &Config, components: &Components, services: &Services) -> Pipeline {
    let settings = settings::pipeline(config, components.standalone, &services.cookies);
    Pipeline::new(
        components.rate_limiter.clone(),
        services.bearers.clone(),
        services.console.clone(),
        services.licenses.clone(),
        services.single_sign_on.clone(),
        settings,
    )
}

fn page_routes(
    config: &Config,
    components: &Components,
    services: &Arc<Services>,
    pipeline: &Pipeline,
) -> Result<PageRoutes> {
    pages::routes(PageDependencies {
        services: Arc::clone(services),
        pipeline: pipeline.clone(),
        keys: Arc::clone(&components.keys),
        entropy: Arc::clone(&components.context.entropy),
        clock: Arc::clone(&components.context.clock),
        settings: settings::pages(config, components.standalone, Arc::clone(&components.client_commands)),
    })
}

fn jobs(config: &Config, components: &Components, services: &Services) -> Jobs {
    Jobs {
        context: components.context.clone(),
        leases: Arc::clone(&components.stores.leases),
        invalidations: Arc::clone(&components.invalidations),
        last_used: Arc::clone(&components.last_used),
        connections: settings::serves_connections(config, components.standalone).then(|| services.connections.clone()),
        identity_provider: components.identity_provider.clone().map(|provider| provider as _),
        runs: components.standalone.then(|| services.runs.clone()),
        retention: settings::retention(config),
    }
}

fn edge_settings(config: &Config, components: &Components, services: &Services) -> Result<EdgeSettings> {
    Ok(EdgeSettings {
        trusted_proxies: TrustedProxies::new(config.listeners.trusted_proxies.clone()),
        forwarded_warning: Arc::default(),
        loopback_hosts_only: config.deployment.mode == Mode::Dev,
        is_https: config.urls.is_https(),
        trusts_peers: false,
        metrics: Arc::clone(&components.context.metrics),
        memory: components.memory.clone(),
        anonymous: AnonymousLimits::within(&components.memory),
        catalog_version: HeaderValue::from_str(services.catalog.version()).map_err(Error::internal)?,
        request_ids: Arc::new(RequestIds::new(&*components.context.entropy)?),
    })
}
