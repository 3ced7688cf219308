//! Refreshes connections in the background before they expire (contract K4).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;

use super::{
    Connections,
    refresh::{RefreshError, RefreshMode},
};
use crate::domain::{Result, connection::credential::Connection};

/// Credentials that expire within this time are refreshed in the background,
const REFRESH_AHEAD: TimeDelta = TimeDelta::minutes(15);
/// if they were used within this time.
const USED_WITHIN: TimeDelta = TimeDelta::days(30);
/// Connections that one statement reads.
const PAGE: u64 = 200;
/// Refreshes in the background at the same time.
const MAX_CONCURRENT: usize = 16;
/// Consecutive failures of a provider after which its other connections wait for the next time.
const MAX_FAILURES: u32 = 3;

impl Connections {
    /// Refreshes connections in use before they expire. A failure of one does not stop the others. Returns how many
    /// were refreshed.
    pub(crate) async fn refresh_due(&self) -> Result<usize> {
        let context = &self.dependencies.context;
        let (mut refreshed, mut after) = (0, None::<Connection>);
        let failures = Mutex::default();
        loop {
            let now = context.clock.now();
            let (expires_before, used_since) = (now + REFRESH_AHEAD, now - USED_WITHIN);
            let sql = &context.sql;
            let due = sql.list_due_connections(now, expires_before, used_since, after.as_ref(), PAGE).await?;
            let is_last = (due.len() as u64) < PAGE;
            after = due.last().cloned();
            let results = stream::iter(due.into_iter().filter(|connection| connection.is_half_over(now)))
                .map(|connection| self.refresh_ahead(connection, &failures))
                .buffer_unordered(MAX_CONCURRENT)
                .map(usize::from);
            refreshed += results.fold(0, |sum, one| async move { sum + one }).await;
            if is_last {
                return Ok(refreshed);
            }
        }
    }

    /// Refreshes a connection, unless its provider has just failed: a provider that does not answer takes 10 s for each
    /// of its connections, and those of others would wait. Returns whether it was refreshed.
    async fn refresh_ahead(&self, connection: Connection, failures: &Mutex<BTreeMap<String, u32>>) -> bool {
        let provider = connection.provider.clone();
        if failures.lock().get(&provider).is_some_and(|failures| *failures >= MAX_FAILURES) {
            return false;
        }
        let result = self.refresh(connection, RefreshMode::Expiring).await;
        match result {
            Err(RefreshError::ProviderFailed(_)) => *failures.lock().entry(provider).or_default() += 1,
            Ok(_) => {
                failures.lock().remove(&provider);
            }
            Err(_) => {}
        }
        result.is_ok()
    }
}
