//! Follows the primary of PostgreSQL when the URL names several hosts.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, PgPool, Row as _, postgres::PgConnectOptions};
use tokio::{
    sync::Notify,
    task::AbortHandle,
    time::{sleep, timeout},
};

use super::pool::complete_postgres;
use crate::domain::{postgres_hosts::PostgresHosts, secret::Secret};

/// The time limit of one host.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two searches.
const SEARCH_INTERVAL: Duration = Duration::from_secs(1);

/// No host is what the URL asks for.
#[derive(Debug, thiserror::Error)]
#[error("no host of the database URL answers and accepts writes")]
pub(super) struct NoPrimaryError;

/// The hosts of a URL, and whom their connections trust.
pub(super) struct Hosts {
    hosts: PostgresHosts,
    authorities: Option<Vec<u8>>,
}

impl Hosts {
    pub(super) fn new(hosts: PostgresHosts, authorities: Option<Vec<u8>>) -> Self {
        Self { hosts, authorities }
    }

    /// The URL of the first host that answers and is what the URL asks for.
    pub(super) async fn find(&self) -> Result<&Secret, NoPrimaryError> {
        for url in &self.hosts.urls {
            match timeout(PROBE_TIMEOUT, self.fits(url.expose())).await {
                Ok(Ok(true)) => return Ok(url),
                Ok(Ok(false)) => tracing::debug!("a host of the database accepts no writes"),
                Ok(Err(error)) => tracing::debug!(cause = %error, "a host of the database cannot be used"),
                Err(_) => tracing::debug!("a host of the database does not answer in time"),
            }
        }
        Err(NoPrimaryError)
    }

    async fn fits(&self, url: &str) -> Result<bool, sqlx::Error> {
        let options = complete_postgres(PgConnectOptions::from_str(url)?, self.authorities.as_deref());
        let mut connection = options.connect().await?;
        let fits = !self.hosts.needs_primary || accepts_writes(&mut connection).await?;
        connection.close().await?;
        Ok(fits)
    }
}

async fn accepts_writes(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    // One message, because a pooler may keep no prepared statements.
    let is_standby: bool = sqlx::raw_sql("SELECT pg_is_in_recovery()").fetch_one(connection).await?.try_get(0)?;
    Ok(!is_standby)
}

/// Searches again after a call has failed, and lets the pool open its next connections at what is found. Ends with its
/// last owner.
pub(super) struct PrimaryFollower {
    search: Arc<Notify>,
    task: AbortHandle,
}

impl PrimaryFollower {
    pub(super) fn start(hosts: Hosts, pool: PgPool) -> Self {
        let search = Arc::new(Notify::new());
        let task = tokio::spawn(follow(hosts, pool, Arc::clone(&search))).abort_handle();
        Self { search, task }
    }

    /// The database does not answer, or accepts no writes.
    pub(super) fn search(&self) {
        self.search.notify_one();
    }
}

impl Drop for PrimaryFollower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(hosts: Hosts, pool: PgPool, search: Arc<Notify>) {
    loop {
        search.notified().await;
        let found = match hosts.find().await {
            Ok(url) => PgConnectOptions::from_str(url.expose()).ok().map(|options| complete_postgres(options, None)),
            // The next call that fails searches again.
            Err(_) => None,
        };
        if let Some(found) = found {
            let current = pool.connect_options();
            let (host, port) = (found.get_host(), found.get_port());
            if (current.get_host(), current.get_port()) != (host, port) {
                tracing::warn!(host, port, "the database has another primary");
                pool.set_connect_options(PgConnectOptions::clone(&current).host(host).port(port));
            }
        }
        sleep(SEARCH_INTERVAL).await;
    }
}
