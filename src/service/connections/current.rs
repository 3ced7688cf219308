//! Current credentials for internal services and runs (contract K4).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Connections,
    error::{reauthorization_required, unknown_connection},
    refresh::{RefreshError, RefreshMode},
    shared_cache::Lookup,
};
use crate::{
    domain::{
        Error, Result,
        connection::{
            credential::{Connection, ConnectionStatus, CredentialType, ReauthorizationReason},
            manifest::ProviderManifest,
            provider_key::ProviderKey,
            values::CredentialValues,
        },
        id::{AccountId, ConnectionId, WorkspaceId},
    },
    ports::connection_cache::{CachedSelection, ConnectionGroup},
    telemetry::audit::connections::ConnectionEvent,
};

/// Credentials are refreshed on demand in these seconds before they expire.
const REFRESH_WITHIN: i64 = 60;
/// How exact `last_used_at` is: a use within this time after the recorded one is not recorded.
const USE_PRECISION: TimeDelta = TimeDelta::hours(1);
/// A token that is as young as this is not refreshed because of a report: the report is about the one before.
const MIN_AGE_FOR_REPORT: TimeDelta = TimeDelta::seconds(10);

/// Which credentials of a workspace are requested.
#[derive(Clone, Debug)]
pub struct CredentialSelection {
    pub workspace: WorkspaceId,
    pub provider: ProviderKey,
    /// This connection, or the default of the account.
    pub connection: Option<ConnectionId>,
    /// The account that has to be a member of the workspace and allowed to use it.
    pub account: Option<AccountId>,
}

/// Credentials that can be used now.
pub struct CurrentCredentials {
    pub connection: Connection,
    /// The manifest of the connection's provider.
    pub manifest: Arc<ProviderManifest>,
    pub values: CredentialValues,
}

impl Connections {
    /// Current credentials, refreshed if they are about to expire. Fails with `not_found`, with
    /// `reauthorization_required`, and with `upstream_error` when they have expired and the provider cannot be reached.
    pub async fn current(&self, selection: &CredentialSelection, reader: &'static str) -> Result<CurrentCredentials> {
        self.require_member(selection).await?;
        let fill = match self.find_cached(selection).await {
            Lookup::Found(connection, fill) => {
                if let Some(current) = self.open_cached(*connection, selection).await {
                    record_read(&current, selection, reader);
                    return Ok(current);
                }
                Some(fill)
            }
            Lookup::Missing(fill) => fill,
        };
        let connection = self.select_for_member(selection).await?;
        let current = self.read_current(connection, selection, reader).await?;
        if let (Some(cache), Some(fill)) = (&self.cache, fill)
            && self.is_ready(&current.connection)
        {
            cache.fill(&current.connection, fill).await;
        }
        Ok(current)
    }

    /// Current credentials of a connection that was selected.
    pub(super) async fn read_current(
        &self,
        connection: Connection,
        selection: &CredentialSelection,
        reader: &'static str,
    ) -> Result<CurrentCredentials> {
        let current = self.keep_current(connection).await?;
        record_read(&current, selection, reader);
        Ok(current)
    }

    /// The connections of a workspace that an account may use; without an account all of them. An account that is not
    /// an active member uses none.
    pub async fn list_for_service(
        &self,
        workspace: WorkspaceId,
        provider: Option<&ProviderKey>,
        account: Option<AccountId>,
    ) -> Result<Vec<Connection>> {
        if let Some(account) = account
            && self.find_member(account, workspace).await?.is_none()
        {
            return Ok(Vec::new());
        }
        let provider = provider.map(ToString::to_string);
        let mut found = self.dependencies.context.sql.list_connections(workspace, provider.as_deref()).await?;
        found.retain(|connection| account.is_none_or(|account| connection.is_visible_to(account)));
        Ok(found)
    }

    /// A tool reports that the provider rejects the credentials: they are refreshed, or the connection is marked.
    pub async fn report_invalid(&self, selection: &CredentialSelection) -> Result<CurrentCredentials> {
        let connection = self.select(selection).await?;
        require_active(&connection)?;
        let now = self.dependencies.context.clock.now();
        if connection.kind.is(CredentialType::OAuth) {
            if now < connection.updated_at + MIN_AGE_FOR_REPORT {
                return self.opened(connection).await;
            }
            let refreshed = self.refresh(connection, RefreshMode::Rejected).await.map_err(Error::from)?;
            return self.opened(refreshed).await;
        }
        match self.require_reauthorization(&connection, ReauthorizationReason::Rejected).await? {
            Some(error) => Err(error),
            // A person has entered another key meanwhile.
            None => self.opened(self.select(selection).await?).await,
        }
    }

    async fn find_cached(&self, selection: &CredentialSelection) -> Lookup {
        let default = || selection.account.map(CachedSelection::DefaultOf);
        let wanted = selection.connection.map(CachedSelection::Connection).or_else(default);
        let (Some(cache), Some(wanted)) = (&self.cache, wanted) else { return Lookup::Missing(None) };
        let provider = selection.provider.to_string();
        cache.find(ConnectionGroup { workspace: selection.workspace, provider: &provider }, wanted).await
    }

    /// The credentials of a cached connection that can be used as they are. SQL decides about all others.
    async fn open_cached(&self, connection: Connection, selection: &CredentialSelection) -> Option<CurrentCredentials> {
        let may_use = selection.account.is_none_or(|account| connection.is_visible_to(account));
        if !may_use || !self.is_ready(&connection) {
            return None;
        }
        let (_, manifest) = self.manifest_of(&connection).await.ok()?;
        let opened = self.open_sealed(&manifest, &connection).await.ok().filter(|opened| !opened.is_stale)?;
        Some(CurrentCredentials { connection, manifest, values: opened.values })
    }

    /// Whether nothing has to be written before the connection is used.
    fn is_ready(&self, connection: &Connection) -> bool {
        let now = self.dependencies.context.clock.now();
        require_active(connection).is_ok() && is_used_recently(connection, now) && !is_due(connection, now)
    }

    async fn keep_current(&self, mut connection: Connection) -> Result<CurrentCredentials> {
        require_active(&connection)?;
        let context = &self.dependencies.context;
        let now = context.clock.now();
        if !is_used_recently(&connection, now) {
            context.sql.mark_used(connection.id, now).await?;
            connection.health.last_used_at = Some(now);
        }
        if !is_due(&connection, now) {
            return self.opened(connection).await;
        }
        match self.refresh(connection.clone(), RefreshMode::Expiring).await {
            Ok(refreshed) => self.opened(refreshed).await,
            // The token is used while it lives.
            Err(RefreshError::Later(_) | RefreshError::ProviderFailed(_))
                if !connection.expires_within(0, context.clock.now()) =>
            {
                self.opened(connection).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn opened(&self, connection: Connection) -> Result<CurrentCredentials> {
        let (_, manifest) = self.manifest_of(&connection).await?;
        let values = self.open(&manifest, &connection).await?;
        Ok(CurrentCredentials { connection, manifest, values })
    }

    pub(super) async fn select(&self, selection: &CredentialSelection) -> Result<Connection> {
        self.require_member(selection).await?;
        self.select_for_member(selection).await
    }

    /// Fails with `not_found` when the account of the selection is not an active member of the workspace.
    async fn require_member(&self, selection: &CredentialSelection) -> Result<()> {
        if let Some(account) = selection.account {
            self.find_member(account, selection.workspace).await?.ok_or_else(unknown_connection)?;
        }
        Ok(())
    }

    async fn select_for_member(&self, selection: &CredentialSelection) -> Result<Connection> {
        let CredentialSelection { workspace, provider, connection, account } = selection;
        if connection.is_none() && account.is_none() {
            return Err(Error::missing("credential_id"));
        }
        let may_use = |connection: &Connection| account.is_none_or(|account| connection.is_visible_to(account));
        let found = self.find_usable(*workspace, provider, *connection, *account, may_use).await?;
        found.ok_or_else(unknown_connection)
    }

    /// This connection, if it may be used. Without an id the account's own default, another of its own, then the
    /// default of those that it may use otherwise; the oldest of each.
    pub(super) async fn find_usable(
        &self,
        workspace: WorkspaceId,
        provider: &ProviderKey,
        id: Option<ConnectionId>,
        account: Option<AccountId>,
        may_use: impl Fn(&Connection) -> bool,
    ) -> Result<Option<Connection>> {
        let (sql, key) = (&self.dependencies.context.sql, provider.to_string());
        if let Some(id) = id {
            let found = sql.find_connection(workspace, id).await?;
            return Ok(found.filter(|connection| connection.provider == key && may_use(connection)));
        }
        let found = sql.list_connections(workspace, Some(&key)).await?.into_iter().filter(may_use);
        Ok(found.min_by_key(|one| (Some(one.owner) != account, !one.is_default)))
    }
}

fn is_used_recently(connection: &Connection, now: DateTime<Utc>) -> bool {
    connection.health.last_used_at.is_some_and(|at| now < at + USE_PRECISION)
}

/// Whether the credentials are refreshed before they are used.
fn is_due(connection: &Connection, now: DateTime<Utc>) -> bool {
    connection.kind.is(CredentialType::OAuth) && connection.expires_within(REFRESH_WITHIN, now)
}

fn record_read(current: &CurrentCredentials, selection: &CredentialSelection, reader: &'static str) {
    ConnectionEvent::CredentialsRead {
        connection_id: current.connection.id,
        provider: &current.connection.provider,
        workspace_id: selection.workspace,
        account_id: selection.account,
        reader,
    }
    .record();
}

fn require_active(connection: &Connection) -> Result<()> {
    match connection.health.status {
        ConnectionStatus::Active => Ok(()),
        ConnectionStatus::ReauthorizationRequired => Err(reauthorization_required(connection)),
    }
}
