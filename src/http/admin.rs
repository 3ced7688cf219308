//! The routes of the admin listener: liveness, readiness and metrics (contract section 13). The public listener does
//! not serve them.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Serialize;

use crate::telemetry::metrics::Metrics;

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
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Check {
    /// `sql` or `state`.
    pub name: &'static str,
    pub health: Health,
}

/// Checks every dependency of the server.
pub(crate) type Checks = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Vec<Check>> + Send>> + Send + Sync>;

/// Whether the server accepts requests. Clones share it.
#[derive(Clone)]
pub(crate) struct Readiness {
    draining: Arc<AtomicBool>,
    checks: Checks,
}

impl Readiness {
    /// Ready while no check fails.
    pub(crate) fn new<F, R>(checks: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Vec<Check>> + Send + 'static,
    {
        Self { draining: Arc::default(), checks: Arc::new(move || Box::pin(checks())) }
    }

    /// Turns readiness off for good, so that load balancers stop sending requests before the listener closes.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    async fn report(&self) -> Report {
        let draining = self.draining.load(Ordering::Relaxed);
        let checks = (self.checks)().await;
        let ready = !draining && checks.iter().all(|check| check.health != Health::Failed);
        Report { ready, draining, checks }
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
    let report = readiness.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(cause) => {
            tracing::error!(%cause, "metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
