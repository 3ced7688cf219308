//! The composition root: the only place that wires concretes. `main`, `dev` and the tests run this same code.

mod run;
mod runtime;

use std::sync::{Arc, atomic::AtomicI64};

use axum::Router;
use chrono::TimeDelta;

use crate::{
    config::{Config, cors::AllowOrigins, mode::Mode},
    domain::{Result, key::KeyRing, limit::Limits},
    http::{
        client_address::TrustedProxies,
        cors,
        edge::{EdgeLayer, EdgeSettings},
        fallback, grpc_door, json_door,
        pages::{self, PageSettings, Pages},
        well_known,
    },
    jobs::Jobs,
    pipeline::{
        Pipeline, PipelineSettings,
        policy::{Credential, Policy},
    },
    ports::{clock::Clock, entropy::Entropy, state::State},
    rpc::{
        About, Rpc, UseCases,
        reply::{ACCESS_TOKEN, CSRF_TOKEN, CookieSettings},
    },
    service::{
        Foundation,
        bearer::Bearers,
        console::{Console, ConsoleSettings},
        device_flow::{DeviceFlow, DeviceFlowSettings},
        identity::Identity,
        invalidation::Invalidations,
        password::Passwords,
        seen::Seen,
        session::Sessions,
    },
    store::{sql::Sql, state::memory::Memory},
    telemetry::{metrics::Metrics, request_id::RequestIds},
};

pub use run::{Bound, Running, connect_sql, connect_state, start};
pub use runtime::RunTasks;

/// What the process gives the app: the parts tests replace.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// Microseconds that Redis' clock is ahead; 0 outside tests.
    pub redis_clock_offset: Arc<AtomicI64>,
}

/// Which listener a router is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Both doors and the pages; methods of internal services only in `dev`.
    Public,
    /// gRPC alone, internal services included.
    Grpc,
    /// JSON for internal services alone.
    Inner,
}

/// A wired application.
pub struct App {
    rpc: Rpc,
    pipeline: Pipeline,
    edge: EdgeLayer,
    pages: pages::Routes,
    jobs: Arc<Jobs>,
    base: Foundation,
    issuer: String,
    cors_origins: AllowOrigins,
    internal_on_public: bool,
    reflection: bool,
    run_tasks: RunTasks,
}

impl App {
    /// Wires an app over stores that are already connected.
    pub fn new(
        config: &Config,
        sql: Arc<Sql>,
        state: Arc<dyn State>,
        standalone: bool,
        surroundings: Surroundings,
    ) -> Result<Self> {
        let Surroundings { clock, entropy, metrics, .. } = surroundings;
        let fallback: Arc<dyn State> = Arc::new(Memory::new(Arc::clone(&clock)));
        let limits: Arc<Limits> = Arc::new(config.limits.clone());
        let base = Foundation {
            sql,
            state: Arc::clone(&state),
            fallback,
            clock,
            entropy,
            limits,
            metrics: Arc::clone(&metrics),
        };
        let keys: Arc<KeyRing> = Arc::new(config.secrets.key_ring());
        let invalidations = Arc::new(Invalidations::new(state));
        let seen = Arc::new(Seen::default());

        let bearers = Bearers::new(base.clone(), Arc::clone(&invalidations), Arc::clone(&seen), standalone);
        let console = Console::new(
            base.clone(),
            Arc::clone(&keys),
            Passwords::default(),
            ConsoleSettings {
                access_lifetime: delta(config.console.access_lifetime),
                refresh_lifetime: delta(config.console.refresh_lifetime),
                standalone,
            },
        );
        let device_flow = DeviceFlow::new(
            base.clone(),
            Arc::clone(&keys),
            Arc::clone(&invalidations),
            Arc::new(DeviceFlowSettings {
                known_clients: config.oauth.known_client_ids.clone(),
                token_lifetime: delta(config.oauth.token_lifetime),
                bearers_enabled: config.oauth.bearer_enabled,
                enterprise: config.enterprise.enabled,
            }),
        );
        let cookies = cookie_settings(config, standalone);
        let settings = PipelineSettings {
            bearers_enabled: config.oauth.bearer_enabled,
            enterprise: config.enterprise.enabled,
            standalone,
            service_key: config.secrets.inner_api_key.clone(),
            origins: own_origins(config),
            access_cookie: cookies.name(ACCESS_TOKEN),
            csrf_cookie: cookies.name(CSRF_TOKEN),
        };
        let pipeline = Pipeline::new(base.clone(), bearers.clone(), console.clone(), settings);
        let run_tasks = RunTasks::default();
        let (apps, runs) = runtime::apps(config, &base, standalone, &run_tasks)?;
        let issuer = config.urls.issuer().to_owned();
        let rpc = Rpc(Arc::new(UseCases {
            device_flow,
            sessions: Sessions::new(base.clone(), Arc::clone(&invalidations)),
            identity: Identity::new(base.clone()),
            apps,
            runs,
            bearers,
            console,
            cookies,
            about: About {
                version: config.deployment.dify_version.clone(),
                edition: if config.enterprise.enabled { "ENTERPRISE" } else { "SELF_HOSTED" },
                issuer: issuer.clone(),
                verification_uri_complete: config.oauth.verification_uri_complete,
            },
        }));
        let development = config.deployment.mode == Mode::Dev;
        let console_sign_in_url = (!standalone).then(|| format!("{issuer}/signin"));
        let pages = pages::routes(Pages {
            rpc: rpc.clone(),
            pipeline: pipeline.clone(),
            keys,
            entropy: Arc::clone(&base.entropy),
            clock: Arc::clone(&base.clock),
            settings: PageSettings { standalone, issuer: issuer.clone(), console_sign_in_url },
        })?;
        let retention = config.oauth.clean_enabled.then_some(delta(config.oauth.retention));
        let jobs = Arc::new(Jobs { base: base.clone(), invalidations, seen, retention });
        let edge = EdgeLayer(Arc::new(EdgeSettings {
            trusted_proxies: TrustedProxies::new(config.listeners.trusted_proxies.clone()),
            loopback_hosts_only: development,
            metrics,
            request_ids: RequestIds::new(&*base.entropy)?,
        }));
        Ok(Self {
            rpc,
            pipeline,
            edge,
            pages,
            jobs,
            base,
            issuer,
            cors_origins: config.cors.clone(),
            internal_on_public: development,
            reflection: development || config.deployment.grpc_reflection,
            run_tasks,
        })
    }

    /// What a listener serves: the layers of both doors, outermost last.
    pub fn router(&self, listener: Listener) -> Result<Router> {
        let internal = listener != Listener::Public || self.internal_on_public;
        let is_internal = |policy: &Policy| policy.credential == Credential::Service;
        let grpc = grpc_door::router(&self.rpc, &self.pipeline, self.reflection, move |policy| {
            internal || !is_internal(policy)
        })?;
        let router = match listener {
            Listener::Grpc => grpc,
            Listener::Inner => json_door::router(&self.rpc, &self.pipeline, is_internal),
            Listener::Public => {
                let cookie_route = |policy: &Policy| policy.json_only;
                let api = json_door::router(&self.rpc, &self.pipeline, move |policy| {
                    !cookie_route(policy) && (internal || !is_internal(policy))
                });
                let introspection = internal && self.pipeline.has_service_key();
                let api = api.merge(well_known::router(&self.issuer, introspection));
                // Before CORS, which must see a preflight first: to the routes it is only another verb.
                let api = api.method_not_allowed_fallback(fallback::method_not_allowed);
                cors::allow(api, &self.cors_origins)
                    .merge(json_door::router(&self.rpc, &self.pipeline, cookie_route))
                    .merge(self.pages.router.clone())
                    .merge(grpc)
            }
        };
        let router = match listener {
            Listener::Public => router.fallback_service(self.pages.missing.clone()),
            Listener::Grpc | Listener::Inner => router.fallback(fallback::not_found),
        };
        let router = router.method_not_allowed_fallback(fallback::method_not_allowed);
        Ok(router.layer(self.edge.clone()))
    }

    /// The base URL people reach this server under.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The services, as both doors call them.
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The tasks of runs.
    pub fn run_tasks(&self) -> &RunTasks {
        &self.run_tasks
    }

    /// Background work.
    pub fn jobs(&self) -> &Arc<Jobs> {
        &self.jobs
    }

    /// The stores and clock beneath.
    pub fn foundation(&self) -> &Foundation {
        &self.base
    }
}

fn delta(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn cookie_settings(config: &Config, standalone: bool) -> CookieSettings {
    CookieSettings {
        secure: config.urls.is_secure(),
        domain: config.urls.cookie_domain.clone(),
        host_prefix: !config.urls.cookie_prefix(!standalone).is_empty(),
        access_lifetime: delta(config.console.access_lifetime),
        refresh_lifetime: delta(config.console.refresh_lifetime),
    }
}

/// Where our own pages are, as browsers write it. `dev` is reached by name as well as by address.
fn own_origins(config: &Config) -> Vec<String> {
    let mut origins = vec![config.urls.issuer().to_owned()];
    if config.deployment.mode == Mode::Dev {
        let port = config.listeners.public.port();
        origins.extend(["localhost", "127.0.0.1", "[::1]"].map(|host| format!("http://{host}:{port}")));
    }
    origins
}
