//! Refreshes credentials, one refresh of a connection at a time over all replicas (contract K4).
//!
//! A lease in the state store excludes other refreshes while the provider is called. It expires, so it alone does not
//! protect the stored token: the new one is stored by a statement that compares the old one.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};

use super::{
    Connections,
    error::{changed_meanwhile, reauthorization_required, unknown_connection},
    values::{MAX_STORE_ATTEMPTS, fields_of, row_of},
};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            credential::{
                Connection, ConnectionHealth, ConnectionStatus, ReauthorizationReason, Recorded, ReplacedCredentials,
            },
            manifest::ProviderManifest,
            provider_key::ProviderKey,
            values::CredentialValues,
        },
        id::ConnectionId,
        stored::StoredValue,
    },
    ports::{
        connection_backend::{BackendError, IssuedCredentials},
        credential_cipher::RowSealer,
    },
    service::uncancelled::run_uncancelled,
    telemetry::{audit::connections::ConnectionEvent, metrics::connections::RefreshOutcome},
};

/// The lifetime of a lease: longer than the preparation, a request to the provider (10 s) and the writes after it.
const LEASE: Duration = Duration::from_secs(30);
/// Longest time from the lease to the request to the provider.
const MAX_PREPARATION: TimeDelta = TimeDelta::seconds(5);
/// Longest wait for the refresh of another request or replica.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// How often a waiting request looks for the result.
const WAIT_INTERVAL: Duration = Duration::from_millis(50);
/// The wait after the first failed refresh. It doubles with each further one.
const FIRST_RETRY: TimeDelta = TimeDelta::seconds(2);
const MAX_RETRY: TimeDelta = TimeDelta::minutes(15);

/// Why credentials are refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefreshMode {
    /// They expire soon.
    Expiring,
    /// The provider rejects them.
    Rejected,
}

/// Why credentials were not refreshed.
#[derive(Debug)]
pub(super) enum RefreshError {
    /// It may succeed later.
    Later(Error),
    /// The provider has failed, and it may succeed later.
    ProviderFailed(Error),
    /// It cannot succeed.
    Never(Error),
}

impl From<RefreshError> for Error {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Later(error) | RefreshError::ProviderFailed(error) | RefreshError::Never(error) => error,
        }
    }
}

impl From<Error> for RefreshError {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

impl Connections {
    /// The connection with newer values than `read`. Waits for another refresh of it, here or at another replica.
    pub(super) async fn refresh(&self, read: Connection, mode: RefreshMode) -> Result<Connection, RefreshError> {
        let deadline = Instant::now() + MAX_WAIT;
        let (key, holder) = (format!("connection:{}", read.id), self.dependencies.context.entropy.uuid_v4()?);
        loop {
            let leases = Arc::clone(&self.dependencies.leases);
            let started = self.dependencies.context.clock.now();
            if leases.acquire_slot(&key, holder, 1, LEASE).await? {
                // The provider may rotate the refresh token, so its answer must be stored even if the caller is gone.
                let connections = self.clone();
                return run_uncancelled(async move {
                    let refreshed = connections.refresh_under_lease(&read, mode, started).await;
                    if let Err(error) = leases.release_slot(&key, holder).await {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "a lease was not released and expires"
                        );
                    }
                    Ok(refreshed)
                })
                .await?;
            }
            let stored = self.stored(read.id).await?;
            if stored.is_newer_than(&read) {
                return Ok(stored);
            }
            if Instant::now() >= deadline {
                return Err(RefreshError::Later(Error::unavailable(
                    "another refresh of the connection is in progress",
                )));
            }
            sleep(WAIT_INTERVAL).await;
        }
    }

    /// The connection as it is stored now. Fails when it has to be authorized again.
    async fn stored(&self, id: ConnectionId) -> Result<Connection, RefreshError> {
        let found = self.dependencies.context.sql.find_any_connection(id).await?;
        let stored = found.ok_or_else(|| RefreshError::Never(unknown_connection()))?;
        if stored.health.status == ConnectionStatus::ReauthorizationRequired {
            return Err(RefreshError::Never(reauthorization_required(&stored)));
        }
        Ok(stored)
    }

    /// `started` is a time before the lease was acquired.
    async fn refresh_under_lease(
        &self,
        read: &Connection,
        mode: RefreshMode,
        started: DateTime<Utc>,
    ) -> Result<Connection, RefreshError> {
        let connection = self.stored(read.id).await?;
        if connection.is_newer_than(read) {
            return Ok(connection);
        }
        let context = &self.dependencies.context;
        if connection.health.retry_at.is_some_and(|at| context.clock.now() < at) {
            return Err(RefreshError::Later(provider_unavailable()));
        }
        let (key, manifest) = self.manifest_of(&connection).await?;
        let values = self.open_sealed(&manifest, &connection).await?.values;
        if !self.dependencies.backend.can_refresh(&manifest, &values) {
            return self.without_refresh_token(connection, mode).await;
        }
        let Some(client) = self.find_client(connection.workspace_id, &key, &manifest).await? else {
            return self.never(connection, ReauthorizationReason::ClientMissing).await;
        };
        let call = client.call(connection.owner);
        // Loaded before the provider may make the old refresh token invalid.
        let sealer = self.dependencies.cipher.sealer(row_of(&connection)).await?;
        if context.clock.now() > started + MAX_PREPARATION {
            return Err(RefreshError::Later(Error::unavailable("the refresh began too late for its lease")));
        }
        match self.dependencies.backend.refresh(call, &values).await {
            Ok(issued) => {
                let stored = self.store_refreshed(connection, &manifest, &*sealer, &values, &issued).await;
                if matches!(&stored, Err(RefreshError::Never(_))) {
                    self.revoke_issued(call, &issued).await;
                }
                stored
            }
            Err(BackendError::Rejected(ReauthorizationReason::NoRefreshToken)) => {
                self.without_refresh_token(connection, mode).await
            }
            Err(BackendError::Rejected(reason)) => self.never(connection, reason).await,
            Err(error) => Err(self.later(&connection, &key, error).await?),
        }
    }

    /// Stores what the provider has issued, before anything else happens. Fails with [`RefreshError::Never`] when the
    /// connection was deleted meanwhile.
    async fn store_refreshed(
        &self,
        connection: Connection,
        manifest: &ProviderManifest,
        sealer: &dyn RowSealer,
        values: &CredentialValues,
        issued: &IssuedCredentials,
    ) -> Result<Connection, RefreshError> {
        let mut merged = values.clone();
        merged.merge(&issued.values);
        let new = sealer.seal(fields_of(manifest, &connection), &merged)?;
        let context = &self.dependencies.context;
        let (now, expires_at) = (context.clock.now(), issued.expires_at);
        let mut old = connection.sealed.clone();
        let mut attempts = 0;
        loop {
            let replaced = ReplacedCredentials { old: &old, new: &new, expires_at, now };
            let Some(stored) = self.replace_issued(&connection, &replaced).await.map_err(not_stored)? else { break };
            // The same values may have been encrypted again. Other ones are newer: a person has authorized again, or
            // the lease has expired.
            if self.open_sealed(manifest, &stored).await?.values != *values {
                return Ok(stored);
            }
            attempts += 1;
            if attempts == MAX_STORE_ATTEMPTS {
                return Err(changed_meanwhile().into());
            }
            old = stored.sealed;
        }
        if (connection.health.failures > 0 || connection.health.status != ConnectionStatus::Active)
            && let Err(error) = self.mark_row_active(&connection).await
        {
            // The new credentials are stored and are used.
            tracing::warn!(
                connection_id = %connection.id, error = &error as &dyn std::error::Error,
                "the failures of a connection that was refreshed are still recorded"
            );
        }
        context.metrics.connections.refreshed(RefreshOutcome::Refreshed);
        ConnectionEvent::Refreshed {
            connection_id: connection.id,
            provider: &connection.provider,
            workspace_id: connection.workspace_id,
            expires_at,
        }
        .record();
        Ok(Connection { sealed: new, expires_at, updated_at: now, ..connection })
    }

    async fn later(&self, connection: &Connection, key: &ProviderKey, error: BackendError) -> Result<RefreshError> {
        let context = &self.dependencies.context;
        let failures = connection.health.failures.saturating_add(1);
        let retry_at = retry_at(failures, context.clock.now());
        self.mark_row_failed(connection, failures, retry_at).await?;
        context.metrics.connections.refreshed(RefreshOutcome::Failed);
        tracing::warn!(
            connection_id = %connection.id, provider = %key, failures, error = &error as &dyn std::error::Error,
            "a refresh failed and will be tried again"
        );
        Ok(RefreshError::ProviderFailed(error.into()))
    }

    /// A person has to authorize again. Returns the connection with newer values when somebody has done so meanwhile,
    /// or when Dify has used the refresh token and its result is stored.
    async fn never(
        &self,
        mut connection: Connection,
        reason: ReauthorizationReason,
    ) -> Result<Connection, RefreshError> {
        for _ in 0..MAX_STORE_ATTEMPTS {
            if let Some(error) = self.require_reauthorization(&connection, reason).await? {
                self.dependencies.context.metrics.connections.refreshed(RefreshOutcome::Rejected);
                return Err(RefreshError::Never(error));
            }
            let stored = self.stored(connection.id).await?;
            if stored.is_newer_than(&connection) {
                return Ok(stored);
            }
            // The same values, encrypted again.
            connection = stored;
        }
        Err(changed_meanwhile().into())
    }

    /// Credentials without a refresh token are used until they expire or are rejected.
    async fn without_refresh_token(
        &self,
        connection: Connection,
        mode: RefreshMode,
    ) -> Result<Connection, RefreshError> {
        let context = &self.dependencies.context;
        if mode == RefreshMode::Rejected {
            return self.never(connection, ReauthorizationReason::Rejected).await;
        }
        if connection.expires_within(0, context.clock.now()) {
            return self.never(connection, ReauthorizationReason::NoRefreshToken).await;
        }
        let expires_at = DateTime::from_timestamp(connection.expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        self.mark_row_failed(&connection, connection.health.failures, expires_at).await?;
        Err(RefreshError::Later(provider_unavailable()))
    }

    /// Records that a person has to authorize again, and returns the error that says so; `None` when the stored
    /// connection has other values, or was deleted.
    pub(super) async fn require_reauthorization(
        &self,
        connection: &Connection,
        reason: ReauthorizationReason,
    ) -> Result<Option<Error>> {
        let context = &self.dependencies.context;
        let recorded = self.mark_row_unauthorized(connection, reason).await?;
        if recorded == Recorded::Changed {
            return Ok(None);
        }
        if recorded == Recorded::Now {
            context.metrics.connections.reauthorization_required(reason);
            ConnectionEvent::ReauthorizationRequired {
                connection_id: connection.id,
                provider: &connection.provider,
                workspace_id: connection.workspace_id,
                owner_id: connection.owner,
                reason: reason.as_str(),
            }
            .record();
        }
        let health = ConnectionHealth { reason: Some(StoredValue::Known(reason)), ..connection.health.clone() };
        Ok(Some(reauthorization_required(&Connection { health, ..connection.clone() })))
    }
}

/// Credentials that were issued are not stored.
fn not_stored(error: Error) -> RefreshError {
    if error.code() == Code::NotFound { RefreshError::Never(error) } else { RefreshError::Later(error) }
}

fn provider_unavailable() -> Error {
    BackendError::unavailable("the last refresh failed a moment ago").into()
}

/// When a refresh is tried again after this many failures.
fn retry_at(failures: u32, now: DateTime<Utc>) -> DateTime<Utc> {
    let factor = 1_i32.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(i32::MAX);
    now + FIRST_RETRY.checked_mul(factor).unwrap_or(MAX_RETRY).min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_up_to_a_maximum() {
        let after = |failures| (retry_at(failures, DateTime::UNIX_EPOCH) - DateTime::UNIX_EPOCH).num_seconds();
        assert_eq!([1, 2, 3, 9, 10, 40, u32::MAX].map(after), [2, 4, 8, 512, 900, 900, 900]);
    }
}
