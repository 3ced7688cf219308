//! Starts and stops a server: checks the stores and the schema, binds the listeners, starts the jobs, drains at the
//! end.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::Notify,
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{
    admin_listener,
    application::{Application, ListenerKind},
    bind::{bind, local},
    dependencies::Dependencies,
    shutdown_deadlines::ShutdownDeadlines,
    stores::{connect_sql, connect_state},
    tls_reload::{self, CHECK_INTERVAL, Reload, ReloadableTls},
};
use crate::{
    config::{Config, mode::Mode, tls::TlsFiles},
    domain::{Error, Result, setup::SetupState},
    http::{
        admin::{self, Check, Health, Readiness},
        client_address::TrustedProxies,
        listen::{self, ListenOptions, RequestService},
    },
    memory::MemoryLedger,
    ports::{state_stores::RefusedCommandError, store_observer::StoreObserver},
    telemetry::metrics::Metrics,
};

/// Time in which runs without a client are stored and the last events of runs are logged.
const RUN_END_TIMEOUT: Duration = Duration::from_secs(3);

/// The addresses of the listeners, with the ports that were assigned for port 0.
#[derive(Clone, Copy, Debug)]
pub struct BoundAddresses {
    pub public: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub grpc: Option<SocketAddr>,
    pub inner: Option<SocketAddr>,
}

/// A server that accepts requests.
pub struct RunningServer {
    pub bound: BoundAddresses,
    pub app: Arc<Application>,
    readiness: Readiness,
    /// From the signal to the end of the process.
    shutdown_timeout: Duration,
    /// Requests a check of the TLS files.
    reload: Arc<Notify>,
    /// Stops accepting; open requests continue.
    soft_shutdown: CancellationToken,
    /// Ends open requests.
    hard_shutdown: CancellationToken,
    /// Ends the admin listener, whose thread would outlive the server.
    admin_shutdown: DropGuard,
    tracker: TaskTracker,
}

/// Starts serving. Binds nothing until SQL answers and its schema is current. Does not wait for Redis: until Redis
/// answers, requests that need it get 503 and all others are served.
pub async fn start(mut config: Config, dependencies: Dependencies) -> Result<RunningServer> {
    let observer = || Some(dependencies.metrics.stores.clone() as Arc<dyn StoreObserver>);
    let (sql, standalone) = connect_sql(&config, observer()).await?;
    sql.check_schema(!standalone).await?;
    if !standalone {
        sql.check_dify_tables(config.deployment.connections).await?;
    } else if config.secrets.init_password.is_none() && sql.setup_state().await? == SetupState::NotStarted {
        tracing::warn!(
            "there is no account and no INIT_PASSWORD: the first caller of /console/api/setup becomes the administrator; \
             set INIT_PASSWORD, or create an account with `dify-openapi account create`"
        );
    }
    let redis_files = config.redis.as_ref().map(|redis| &redis.certificate_files);
    let of_redis = redis_files.map(ReloadableTls::load_certificates).transpose()?.flatten().map(Arc::new);
    let presented = of_redis.as_ref().map(|certificates| certificates.subscribe());
    let state = connect_state(&config, &dependencies.clock, &dependencies.redis_clock_offset, observer(), presented)?;

    let public = bind(config.listeners.public)?;
    config.bound_to(local(&public)?);
    let metrics = Arc::clone(&dependencies.metrics);
    let app = Arc::new(Application::new(&config, sql, state, standalone, dependencies)?);
    let readiness = readiness(&app, &metrics);
    observe_pools(&app, &metrics);
    let memory = app.rpc().memory().clone();
    let [soft_shutdown, hard_shutdown] = std::array::from_fn(|_| CancellationToken::new());
    let admin_shutdown = CancellationToken::new().drop_guard();
    let tracker = TaskTracker::new();

    let mut bound = BoundAddresses { public: local(&public)?, admin: None, grpc: None, inner: None };
    let options = listen_options(&config, &memory);
    let mut tls_files: Vec<Arc<dyn Reload>> = Vec::new();
    tls_files.extend(app.client_certificate().map(|certificate| Arc::clone(certificate) as _));
    tls_files.extend(of_redis.map(|certificates| certificates as _));
    let mut serve = |listener: TcpListener, service: RequestService, tls: Option<&TlsFiles>| {
        let address = local(&listener)?;
        let tls = tls.map(ReloadableTls::load_listener).transpose()?.map(Arc::new);
        let options = ListenOptions { tls: tls.as_ref().map(|tls| tls.subscribe()), ..options.clone() };
        tls_files.extend(tls.map(|tls| tls as _));
        tracker.spawn(listen::serve(listener, service, options, soft_shutdown.clone(), hard_shutdown.clone()));
        Ok::<_, Error>(address)
    };
    if let Some(address) = config.listeners.grpc {
        let service = app.service(ListenerKind::Grpc)?;
        bound.grpc = Some(serve(bind(address)?, service, config.listeners.grpc_tls.as_ref())?);
    }
    if let Some(address) = config.listeners.inner {
        bound.inner = Some(serve(bind(address)?, app.service(ListenerKind::Inner)?, None)?);
    }
    if let Some(address) = config.listeners.admin {
        // Not tracked: it reports that the process is draining, so it ends last.
        let service = RequestService::new(admin::router(readiness.clone(), metrics));
        let options = ListenOptions::within(app.rpc().memory());
        let shutdown = admin_shutdown.token().clone();
        bound.admin = Some(admin_listener::start(bind(address)?, service, options, shutdown)?);
    }
    serve(public, app.service(ListenerKind::Public)?, config.listeners.tls.as_ref())?;
    let reload = Arc::new(Notify::new());
    if !tls_files.is_empty() {
        tracker.spawn(tls_reload::watch_files(tls_files, Arc::clone(&reload), CHECK_INTERVAL, soft_shutdown.clone()));
    }
    app.jobs().start(&tracker, &soft_shutdown);
    tracker.spawn(readiness.clone().watch(soft_shutdown.clone()));
    let shutdown_timeout = config.deployment.shutdown_timeout;
    Ok(RunningServer {
        bound,
        app,
        readiness,
        shutdown_timeout,
        reload,
        soft_shutdown,
        hard_shutdown,
        admin_shutdown,
        tracker,
    })
}

/// Options of all listeners except that of the admin routes.
fn listen_options(config: &Config, memory: &MemoryLedger) -> ListenOptions {
    let trusted_proxies = TrustedProxies::new(config.listeners.trusted_proxies.clone());
    let mut options = ListenOptions { trusted_proxies, ..ListenOptions::within(memory) };
    if config.deployment.mode == Mode::Dev {
        // All clients are on this machine. With a limit, new ones would be closed before idle ones make room.
        options.max_connections_per_network = usize::MAX;
    }
    options
}

impl RunningServer {
    /// Loads the TLS files again if they have changed. They are also checked at an interval.
    pub fn reload_tls(&self) {
        self.reload.notify_one();
    }

    /// The steps of a shutdown that begins now.
    pub fn shutdown_deadlines(&self) -> ShutdownDeadlines {
        ShutdownDeadlines::within(self.shutdown_timeout)
    }

    /// Turns readiness and gRPC's health off and serves until the deadline, so that clients and load balancers switch to
    /// other replicas.
    pub async fn announce_stop(&self, deadline: Instant) {
        self.readiness.drain();
        self.app.grpc_health().stop().await;
        tokio::time::sleep_until(deadline).await;
    }

    /// Stops: turns readiness off, accepts no new connections, lets open requests finish, then ends the remaining ones.
    /// Every step ends at its deadline, also when a store does not answer.
    pub async fn stop(self, deadlines: ShutdownDeadlines) {
        self.readiness.drain();
        self.app.grpc_health().stop().await;
        self.soft_shutdown.cancel();
        self.tracker.close();
        let runs = self.app.run_tasks();
        runs.tracker.close();
        if timeout_at(deadlines.requests, self.tracker.wait()).await.is_err() {
            // Cancelled runs send their last event and store what they have.
            runs.end.cancel();
            if timeout_at(deadlines.runs, self.tracker.wait()).await.is_err() {
                self.hard_shutdown.cancel();
                let _ = timeout_at(deadlines.connections, self.tracker.wait()).await;
            }
        }
        runs.end.cancel();
        // After requests that ended early, runs without a client have no more time than after others.
        let stored = deadlines.stored_runs.min(Instant::now() + RUN_END_TIMEOUT);
        if timeout_at(stored, runs.tracker.wait()).await.is_err() {
            tracing::warn!("some runs were not stored as stopped");
        }
        runs.logs.close();
        let _ = timeout_at(stored, runs.logs.wait()).await;
        if timeout_at(deadlines.writes, self.write_the_rest()).await.is_err() {
            tracing::warn!("the stores did not answer in time; some last uses and revocations were not written");
        }
        drop(self.admin_shutdown);
    }

    /// Writes what jobs would have written later.
    async fn write_the_rest(&self) {
        let jobs = self.app.jobs();
        let unmarked = jobs.invalidations.retry().await;
        if unmarked > 0 {
            tracing::warn!(unmarked, "some revoked sessions may stay in the shared cache for up to 60 s");
        }
        if let Some(connections) = &jobs.connections {
            connections.retry_removals().await;
        }
        if let Err(error) = jobs.flush_last_used().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last uses of some sessions were not written");
        }
    }
}

/// Reports the connections to the stores. The references are weak, because the stores report to the metrics.
fn observe_pools(app: &Application, metrics: &Metrics) {
    let (sql, state) = (&app.context().sql, &app.stores().health);
    let maxima = [Some(sql.max_pool_connections()), state.connections().map(|[_, max]| max)];
    let (sql, state) = (Arc::downgrade(sql), Arc::downgrade(state));
    let read_sql = move || sql.upgrade().map_or([0, 0], |pool| pool.pool_connections());
    let read_redis = move || state.upgrade()?.connections().map(|[open, _]| open);
    metrics.stores.observe_pools(maxima, read_sql, read_redis);
}

/// SQL is required. Redis and the directory of files are not: without them bearer requests are still served, and an
/// outage of Redis would otherwise make every replica unready at once. Only a process that Redis has refused a command
/// from the start, such as one of a version that needs further rights, is not ready.
fn readiness(app: &Arc<Application>, metrics: &Arc<Metrics>) -> Readiness {
    let app = Arc::clone(app);
    let state_worked = Arc::new(AtomicBool::new(false));
    Readiness::new(Arc::clone(metrics), move || {
        let (sql, state) = (Arc::clone(&app.context().sql), Arc::clone(&app.stores().health));
        let (state_worked, files) = (Arc::clone(&state_worked), app.services().files.store().cloned());
        async move {
            let files = async {
                match &files {
                    Some(files) => files.check_writable().await,
                    None => Ok(()),
                }
            };
            let (sql, state, files) = tokio::join!(sql.check_writable(), state.check_commands(), files);
            let sql =
                Check { name: "sql", health: if sql.is_ok() { Health::Ok } else { Health::Failed }, error: sql.err() };
            let health = match &state {
                Ok(()) => {
                    state_worked.store(true, Ordering::Relaxed);
                    Health::Ok
                }
                Err(error) if is_refused(error) && !state_worked.load(Ordering::Relaxed) => Health::Failed,
                Err(_) => Health::Degraded,
            };
            let state = Check { name: "state", health, error: state.err() };
            // Only uploads and runs with files need the directory.
            let health = if files.is_ok() { Health::Ok } else { Health::Degraded };
            vec![sql, state, Check { name: "files", health, error: files.err() }]
        }
    })
}

/// Whether the state store lacks a command, or a right to use it.
fn is_refused(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<RefusedCommandError>())
        .is_some_and(RefusedCommandError::is_permanent)
}
