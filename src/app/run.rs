//! Starting and stopping: stores, schema, listeners, jobs, drain. Everything is checked before a port is bound.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{App, Listener, Surroundings};
use crate::{
    config::{self, Config, tls::TlsFiles},
    domain::{Error, Result},
    http::{
        admin::{self, Check, Health, Readiness},
        listen,
    },
    ports::{clock::Clock, state::State},
    store::{
        sql::{SqlOptions, SqlStore},
        state::{
            memory::Memory,
            redis::{Redis, RedisOptions, Topology},
        },
    },
};

/// How long open requests and streams may still take once the process is asked to stop. Kubernetes waits 30 s, in which
/// the last writes to SQL and the last export have to fit as well.
const GRACE: Duration = Duration::from_secs(15);

/// Of that grace, how long runs that are still under way have for their last event and their row.
const LAST_EVENTS: Duration = Duration::from_secs(3);

/// Where the listeners are bound.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Both doors and the pages.
    pub public: SocketAddr,
    /// Health and metrics.
    pub admin: Option<SocketAddr>,
    /// gRPC alone.
    pub grpc: Option<SocketAddr>,
    /// Internal services.
    pub inner: Option<SocketAddr>,
}

/// A serving process.
pub struct Running {
    /// Where it listens.
    pub bound: Bound,
    /// What it serves.
    pub app: Arc<App>,
    readiness: Readiness,
    soft: CancellationToken,
    hard: CancellationToken,
    last: CancellationToken,
    tracker: TaskTracker,
}

/// Connects the SQL store. The second value is whether the service runs alone, rather than beside Dify.
pub async fn connect_sql(config: &Config) -> Result<(Arc<SqlStore>, bool)> {
    let options = SqlOptions { url: config.database.url.clone(), max_connections: config.database.pool_size };
    let sql = SqlStore::connect(options).await?;
    let beside = match config.deployment.beside_dify {
        Some(beside) => beside,
        None => sql.is_dify_database().await?,
    };
    Ok((Arc::new(sql), !beside))
}

/// The state store of a configuration.
pub fn connect_state(
    config: &Config,
    clock: Arc<dyn Clock>,
    redis_clock_offset: &Arc<AtomicI64>,
) -> Result<Arc<dyn State>> {
    Ok(match &config.redis {
        Some(redis) => {
            Arc::new(Redis::connect(redis_options(redis))?.with_clock_offset(Arc::clone(redis_clock_offset)))
        }
        None => Arc::new(Memory::new(clock)),
    })
}

fn redis_options(redis: &config::redis::Redis) -> RedisOptions {
    let topology = match redis.topology.clone() {
        config::redis::Topology::Standalone(url) => Topology::Single { url },
        config::redis::Topology::Sentinel { sentinels, service_name, username, password, db, tls } => {
            Topology::Sentinel { urls: sentinels, service_name, username, password, db: db.into(), tls }
        }
        config::redis::Topology::Cluster(urls) => Topology::Cluster { urls },
    };
    RedisOptions::new(topology).key_prefix(Some(redis.key_prefix.clone()).filter(|prefix| !prefix.is_empty()))
}

/// Starts serving. Nothing is bound until SQL answers and its schema fits. Redis is not waited for: until it answers, what
/// needs it is refused with 503 and the rest goes on.
pub async fn start(mut config: Config, surroundings: Surroundings) -> Result<Running> {
    let (sql, standalone) = connect_sql(&config).await?;
    if sql.has_pending_migrations(!standalone).await? {
        return Err(Error::internal("the database schema is behind this version; run `dify-openapi migrate up` first"));
    }
    if !standalone {
        sql.check_dify_tables().await?;
    }
    let state = connect_state(&config, Arc::clone(&surroundings.clock), &surroundings.redis_clock_offset)?;

    let public = bind(config.listeners.public).await?;
    config.bound_to(local(&public)?);
    let metrics = Arc::clone(&surroundings.metrics);
    let app = Arc::new(App::new(&config, sql, state, standalone, surroundings)?);
    let readiness = readiness(&app);
    let (soft, hard, last) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let tracker = TaskTracker::new();

    let mut bound = Bound { public: local(&public)?, admin: None, grpc: None, inner: None };
    let serve = |listener: TcpListener, router: axum::Router, tls: Option<&TlsFiles>| {
        let address = local(&listener)?;
        let tls = tls.map(TlsFiles::load).transpose().map_err(Error::internal)?;
        let options = listen::ListenOptions { tls, ..Default::default() };
        tracker.spawn(listen::serve(listener, router, options, soft.clone(), hard.clone()));
        Ok::<_, Error>(address)
    };
    if let Some(address) = config.listeners.grpc {
        let router = app.router(Listener::Grpc)?;
        bound.grpc = Some(serve(bind(address).await?, router, config.listeners.grpc_tls.as_ref())?);
    }
    if let Some(address) = config.listeners.inner {
        bound.inner = Some(serve(bind(address).await?, app.router(Listener::Inner)?, None)?);
    }
    if let Some(address) = config.listeners.admin {
        // Not one of the tracked: it says that the process is draining until the process has drained.
        let listener = bind(address).await?;
        bound.admin = Some(local(&listener)?);
        let router = admin::router(readiness.clone(), metrics);
        tokio::spawn(listen::serve(listener, router, listen::ListenOptions::default(), last.clone(), last.clone()));
    }
    serve(public, app.router(Listener::Public)?, config.listeners.tls.as_ref())?;
    app.jobs().start(&tracker, &soft);
    Ok(Running { bound, app, readiness, soft, hard, last, tracker })
}

impl Running {
    /// Says that it wants no more requests, and goes on serving them for a while: whoever balances between replicas needs a
    /// moment to hear of it.
    pub async fn step_back(&self, moment: Duration) {
        self.readiness.drain();
        tokio::time::sleep(moment).await;
    }

    /// Stops: readiness off, no new connections, open requests get their grace, then the rest ends.
    pub async fn stop(self) {
        self.readiness.drain();
        self.soft.cancel();
        self.tracker.close();
        let runs = self.app.run_tasks();
        runs.tracker.close();
        if tokio::time::timeout(GRACE, self.tracker.wait()).await.is_err() {
            // Streams tell their readers that they end here, and runs are stored as they are.
            runs.end.cancel();
            if tokio::time::timeout(LAST_EVENTS, self.tracker.wait()).await.is_err() {
                self.hard.cancel();
                let _ = tokio::time::timeout(Duration::from_secs(2), self.tracker.wait()).await;
            }
        }
        runs.end.cancel();
        if tokio::time::timeout(LAST_EVENTS, runs.tracker.wait()).await.is_err() {
            tracing::warn!("some runs were not stored as stopped");
        }
        let unmarked = self.app.jobs().invalidations.retry().await;
        if unmarked > 0 {
            tracing::warn!(unmarked, "some revoked sessions may stay in the shared cache for up to 60 s");
        }
        if let Err(error) = self.app.jobs().flush_last_used().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last uses of some sessions were not written");
        }
        self.last.cancel();
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::internal(format!(
            "cannot listen on {address} ({error}); choose another address, or stop the program that uses this one"
        ))
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(Error::internal)
}

/// Without SQL there is nothing to serve; without Redis bearer requests go on, and taking every replica away helps nobody.
fn readiness(app: &Arc<App>) -> Readiness {
    let app = Arc::clone(app);
    Readiness::new(move || {
        let base = app.foundation().clone();
        async move {
            let sql = if base.sql.ping().await.is_ok() { Health::Ok } else { Health::Failed };
            let state = if base.state.ping().await.is_ok() { Health::Ok } else { Health::Degraded };
            vec![Check { name: "sql", health: sql }, Check { name: "state", health: state }]
        }
    })
}
