//! Background work: named, idempotent, tracked, and stopped with the process.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    domain::{Error, Result},
    ports::{identity_provider::IdentityProvider, lease_store::LeaseStore},
    service::{
        connections::Connections, context::ServiceContext, invalidation::Invalidations, last_used::LastUsedTracker,
        operator_events, run::Runs,
    },
};

/// How often `last_used_at` is written; so also how exact it is.
const FLUSH_EVERY: Duration = Duration::from_mins(1);
/// How often invalidations that failed are tried again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Interval between two readings of the identity provider's metadata and keys; the first is at the start.
const PROVIDER_REFRESH_INTERVAL: Duration = Duration::from_mins(10);
/// How often the audit events of commands are written to the log.
const OPERATOR_EVENTS_INTERVAL: Duration = Duration::from_secs(10);
/// The job that refreshes connections, and its lease.
const CONNECTIONS: &str = "connections";
/// How often it runs, so that each connection has several attempts before it expires.
const CONNECTIONS_INTERVAL: Duration = Duration::from_mins(1);
/// The lifetime of its lease: the longest time of a run.
const CONNECTIONS_LEASE: Duration = Duration::from_mins(15);
/// The job that deletes, and its lease.
const RETENTION: &str = "retention";
/// How often runs whose form has expired are continued.
const FORM_INTERVAL: Duration = Duration::from_secs(10);
/// How often what is left of resolved forms is deleted.
const RESOLVED_FORM_INTERVAL: Duration = Duration::from_hours(1);
/// How often retention looks whether it is due.
const RETENTION_LOOKS: Duration = Duration::from_hours(1);
/// How long its lease lasts, so that one replica runs it a day.
const RETENTION_LEASE: Duration = Duration::from_hours(24);
/// Rows that one statement reads, so that logins are never locked out for long.
const RETENTION_WINDOW: u64 = 2_000;

/// What the jobs work on.
pub struct Jobs {
    /// Stores and clock.
    pub context: ServiceContext,
    pub leases: Arc<dyn LeaseStore>,
    /// Cache entries still to be marked dead.
    pub invalidations: Arc<Invalidations>,
    /// Uses of tokens still to be written.
    pub last_used: Arc<LastUsedTracker>,
    /// `None` where Dify manages connections.
    pub connections: Option<Connections>,
    /// The built-in identity provider, whose metadata and keys are read again.
    pub identity_provider: Option<Arc<dyn IdentityProvider>>,
    /// Runs that wait for a form, which may expire. `None` beside Dify, which has the runs.
    pub runs: Option<Runs>,
    /// Age at which ended sessions are deleted; `None` leaves them.
    pub retention: Option<TimeDelta>,
}

impl Jobs {
    /// Starts every job on the tracker; they end when `stop` does.
    pub fn start(self: &Arc<Self>, tracker: &TaskTracker, stop: &CancellationToken) {
        self.every("last-used", FLUSH_EVERY, tracker, stop, |jobs| async move { jobs.flush_last_used().await });
        self.every("invalidations", RETRY_EVERY, tracker, stop, |jobs| async move {
            jobs.invalidations.retry().await;
            if let Some(connections) = &jobs.connections {
                connections.retry_removals().await;
            }
            Ok(())
        });
        self.every("operator-events", OPERATOR_EVENTS_INTERVAL, tracker, stop, |jobs| async move {
            jobs.write_operator_events().await
        });
        if let Some(runs) = &self.runs {
            let (expired, resolved) = (runs.clone(), runs.clone());
            self.every("expired-forms", FORM_INTERVAL, tracker, stop, move |_| {
                let runs = expired.clone();
                async move { runs.resume_expired().await }
            });
            self.every("resolved-forms", RESOLVED_FORM_INTERVAL, tracker, stop, move |_| {
                let runs = resolved.clone();
                async move { runs.delete_resolved_forms().await }
            });
        }
        if self.identity_provider.is_some() {
            self.every("identity-provider", PROVIDER_REFRESH_INTERVAL, tracker, stop, |jobs| async move {
                match &jobs.identity_provider {
                    Some(provider) => provider.refresh().await,
                    None => Ok(()),
                }
            });
        }
        if self.connections.is_some() {
            self.every(CONNECTIONS, CONNECTIONS_INTERVAL, tracker, stop, |jobs| async move {
                jobs.refresh_connections().await
            });
        }
        if self.retention.is_some() {
            // A backlog may be long.
            let quit = stop.clone();
            self.every(RETENTION, RETENTION_LOOKS, tracker, stop, move |jobs| {
                let quit = quit.clone();
                async move { jobs.run_retention(&quit).await }
            });
        }
    }

    fn every<F, Fut>(
        self: &Arc<Self>,
        name: &'static str,
        period: Duration,
        tracker: &TaskTracker,
        stop: &CancellationToken,
        job: F,
    ) where
        F: Fn(Arc<Self>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send,
    {
        self.context.metrics.jobs.start(name);
        let (jobs, stop) = (Arc::clone(self), stop.clone());
        tracker.spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => break,
                    _ = ticks.tick() => {}
                }
                let metrics = &jobs.context.metrics.jobs;
                match job(Arc::clone(&jobs)).await {
                    Ok(()) => metrics.succeeded(name, jobs.context.clock.now()),
                    Err(error) => {
                        metrics.failed(name);
                        log(name, &error);
                    }
                }
            }
        });
    }

    /// Writes the uses noted since the last time.
    pub async fn flush_last_used(&self) -> Result<()> {
        self.last_used.flush(&self.context.sql).await
    }

    /// Writes the audit events of commands to the log of this server, unless another replica does.
    pub async fn write_operator_events(&self) -> Result<()> {
        operator_events::write_stored(&self.context).await
    }

    /// Refreshes connections that expire soon, unless another replica does.
    pub async fn refresh_connections(&self) -> Result<()> {
        let Some(connections) = &self.connections else { return Ok(()) };
        if !self.leases.acquire_lease(CONNECTIONS, CONNECTIONS_LEASE).await? {
            return Ok(());
        }
        let refreshed = connections.refresh_due().await;
        if let Err(error) = self.leases.release_lease(CONNECTIONS).await {
            log(CONNECTIONS, &error);
        }
        refreshed.map(|_| ())
    }

    /// Deletes sessions that ended long ago, a window of rows at a time, unless another replica has the lease. It stops
    /// with `quit`, and what it did not come to is done at the next look, here or at another replica.
    pub async fn run_retention(&self, quit: &CancellationToken) -> Result<()> {
        let Some(age) = self.retention else { return Ok(()) };
        if !self.leases.acquire_lease(RETENTION, RETENTION_LEASE).await? {
            return Ok(());
        }
        let done = quit.run_until_cancelled(self.delete_ended(age)).await;
        if !matches!(done, Some(Ok(())))
            && let Err(error) = self.leases.release_lease(RETENTION).await
        {
            // The lease expires by itself. The error of the job is the one to report.
            log(RETENTION, &error);
        }
        done.unwrap_or(Ok(()))
    }

    async fn delete_ended(&self, age: TimeDelta) -> Result<()> {
        let now = self.context.clock.now();
        self.context.sql.delete_ended_sessions(now - age, RETENTION_WINDOW).await?;
        // A browser session that has ended opens nothing; what it spent goes with it.
        self.context.sql.delete_ended_browser_sessions(now, RETENTION_WINDOW).await?;
        Ok(())
    }
}

fn log(job: &'static str, error: &Error) {
    tracing::warn!(job, error = error as &dyn std::error::Error, "a background job failed and will run again");
}
