//! The routes of the admin listener: liveness, readiness and metrics (contract section 13). The public listener does
//! not serve them.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::{
    runtime::Handle,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::quality::weighted_members;
use crate::{
    domain::Error,
    telemetry::metrics::{Metrics, MetricsFormat},
};

/// Interval between two checks of which no probe is the cause.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// Time in which the threads of the server have to run something, so that a probe waits for their checks. Probes of
/// Kubernetes wait for a second.
const RUNTIME_TIMEOUT: Duration = Duration::from_millis(500);
/// Age up to which the last result counts while the threads are busy.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The state of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Health {
    Ok,
    /// Unavailable, but requests are served without it. Readiness stays on, since all replicas share the dependency.
    Degraded,
    /// Unavailable and required.
    Failed,
}

/// The result of a health check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// `sql`, `state`, `files`, or `runtime` when the threads of the server are busy.
    pub name: &'static str,
    pub health: Health,
    /// Why it is not healthy. It is logged only.
    #[serde(skip)]
    pub error: Option<Error>,
}

/// Checks every dependency of the server.
pub(crate) type Checks = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Send + Sync>;

/// Whether the server accepts requests. Clones share it.
#[derive(Clone)]
pub(crate) struct Readiness {
    draining: Arc<AtomicBool>,
    checks: Checks,
    metrics: Arc<Metrics>,
    /// The results that were logged last.
    logged: Arc<Mutex<HashMap<&'static str, Health>>>,
    /// The threads of the server, which run the checks. Probes are answered by another thread.
    runtime: Handle,
    /// When the last check ended, and whether none failed.
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Readiness {
    /// Ready while no check fails. Checks run on the present runtime.
    pub(crate) fn new<F, R>(metrics: Arc<Metrics>, checks: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Vec<Check>> + Send + 'static,
    {
        let checks = Arc::new(move || Box::pin(checks()) as Pin<Box<dyn Future<Output = Vec<Check>> + Send>>);
        let (logged, last) = (Arc::default(), Arc::default());
        Self { draining: Arc::default(), checks, metrics, logged, runtime: Handle::current(), last }
    }

    /// Turns readiness off for good, so that load balancers stop sending requests before the listener closes.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.metrics.readiness.ready(false);
    }

    /// Checks at an interval until `shutdown`, for the metrics and the log. The first check is at once.
    pub(crate) async fn watch(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(CHECK_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let _ = shutdown.run_until_cancelled(self.report()).await;
        }
    }

    async fn report(&self) -> Report {
        let draining = self.draining.load(Ordering::Relaxed);
        let checks = (self.checks)().await;
        let is_healthy = checks.iter().all(|check| check.health != Health::Failed);
        *self.last.lock() = Some((Instant::now(), is_healthy));
        let ready = !draining && is_healthy;
        for check in &checks {
            self.metrics.readiness.check(check.name, check.health == Health::Ok);
            self.log(check);
        }
        // Draining may have begun meanwhile.
        self.metrics.readiness.ready(ready && !self.draining.load(Ordering::Relaxed));
        Report { ready, draining, checks }
    }

    /// The report for a probe. While the threads of the server are busy, it repeats the last result for a while: a
    /// server under load still works.
    async fn report_to_probe(self) -> Report {
        let answers = tokio::time::timeout(RUNTIME_TIMEOUT, self.runtime.spawn(async {})).await;
        if answers.is_ok() {
            let readiness = self.clone();
            if let Ok(report) = self.runtime.spawn(async move { readiness.report().await }).await {
                return report;
            }
        }
        let (draining, last) = (self.draining.load(Ordering::Relaxed), *self.last.lock());
        let was_healthy = last.is_some_and(|(at, is_healthy)| is_healthy && at.elapsed() < MAX_AGE);
        let health = if was_healthy { Health::Degraded } else { Health::Failed };
        Report {
            ready: was_healthy && !draining,
            draining,
            checks: vec![Check { name: "runtime", health, error: None }],
        }
    }

    /// Logs a check when its result has changed.
    fn log(&self, check: &Check) {
        let before = self.logged.lock().insert(check.name, check.health).unwrap_or(Health::Ok);
        if before == check.health {
            return;
        }
        let (name, health) = (check.name, check.health);
        if let Some(error) = &check.error {
            tracing::error!(
                check = name,
                ?health,
                error = error as &dyn std::error::Error,
                "a dependency cannot be used"
            );
        } else {
            tracing::info!(check = name, "a dependency can be used again");
        }
    }
}

/// The body of `/readyz`.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    draining: bool,
    checks: Vec<Check>,
}

pub(crate) fn router(readiness: Readiness, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(render).with_state(metrics))
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report_to_probe().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn render(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let format = accepted_format(&headers);
    let content_type = match format {
        MetricsFormat::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        MetricsFormat::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };
    match metrics.render(format) {
        Ok(text) => ([(header::CONTENT_TYPE, content_type), (header::VARY, "accept")], text).into_response(),
        Err(cause) => {
            tracing::error!(%cause, "metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The format of OpenMetrics when it is requested by its name and the text format is not preferred, as by Prometheus.
fn accepted_format(headers: &HeaderMap) -> MetricsFormat {
    let weight = |name: &str| {
        let members = weighted_members(headers, &header::ACCEPT);
        members.filter(|(member, _)| member.eq_ignore_ascii_case(name)).map(|(_, weight)| weight).fold(0.0, f32::max)
    };
    let openmetrics = weight("application/openmetrics-text");
    if openmetrics > 0.0 && openmetrics >= weight("text/plain") {
        MetricsFormat::OpenMetrics
    } else {
        MetricsFormat::Prometheus
    }
}
