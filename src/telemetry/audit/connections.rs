//! Audit events of connections (contract K5).

use super::{TARGET, request_id};
use crate::domain::{
    connection::provider_key::ProviderKey,
    id::{AccountId, ConnectionId, WorkspaceId},
};

/// An event about a connection or an OAuth client. No variant has a field for a secret.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ConnectionEvent<'a> {
    /// `connection.client_configured`: an OAuth client was stored, switched or deleted.
    ClientConfigured {
        provider: &'a ProviderKey,
        /// `None` for the instance's client.
        workspace_id: Option<WorkspaceId>,
        account_id: Option<AccountId>,
        /// `enabled`, `disabled` or `deleted`.
        state: &'static str,
    },
    /// `connection.authorized`: an account has connected, or entered an API key.
    Authorized {
        connection_id: ConnectionId,
        provider: &'a ProviderKey,
        workspace_id: WorkspaceId,
        account_id: AccountId,
        /// Whether the connection existed before.
        again: bool,
    },
    /// `connection.changed`: a member renamed or shared a connection, or replaced its values.
    Changed {
        connection_id: ConnectionId,
        provider: &'a str,
        workspace_id: WorkspaceId,
        account_id: AccountId,
        renamed: bool,
        /// `None` if it stays.
        visibility: Option<&'a str>,
        /// Whether the values were replaced.
        values_replaced: bool,
    },
    /// `connection.default_changed`: a member made a connection its owner's default for the provider.
    DefaultChanged { connection_id: ConnectionId, provider: &'a str, workspace_id: WorkspaceId, account_id: AccountId },
    /// `connection.refreshed`: a provider has issued new credentials.
    Refreshed {
        connection_id: ConnectionId,
        provider: &'a str,
        workspace_id: WorkspaceId,
        /// Seconds since the epoch; −1 when the credentials do not expire.
        expires_at: i64,
    },
    /// `connection.reauthorization_required`: a connection cannot be used until a person authorizes again.
    ReauthorizationRequired {
        connection_id: ConnectionId,
        provider: &'a str,
        workspace_id: WorkspaceId,
        owner_id: AccountId,
        reason: &'a str,
    },
    /// `connection.revoked`: a connection was deleted.
    Revoked {
        connection_id: ConnectionId,
        provider: &'a str,
        workspace_id: WorkspaceId,
        /// `None` for an operator.
        account_id: Option<AccountId>,
        /// Whether the provider has accepted the revocation.
        at_provider: bool,
    },
    /// `connection.credentials_read`: an internal service or a run has read credentials.
    CredentialsRead {
        connection_id: ConnectionId,
        provider: &'a str,
        workspace_id: WorkspaceId,
        /// The account for which they were read, if it was named.
        account_id: Option<AccountId>,
        /// `service` or `run`.
        reader: &'static str,
    },
}

impl ConnectionEvent<'_> {
    pub(crate) fn record(&self) {
        match *self {
            Self::ClientConfigured { provider, workspace_id, account_id, state } => event!(
                "connection.client_configured",
                provider = %provider,
                tenant_id = workspace_id.map(tracing::field::display),
                account_id = account_id.map(tracing::field::display),
                state,
            ),
            Self::Authorized { connection_id, provider, workspace_id, account_id, again } => event!(
                "connection.authorized",
                connection_id = %connection_id,
                provider = %provider,
                tenant_id = %workspace_id,
                account_id = %account_id,
                again,
            ),
            Self::Changed {
                connection_id,
                provider,
                workspace_id,
                account_id,
                renamed,
                visibility,
                values_replaced,
            } => event!(
                "connection.changed",
                connection_id = %connection_id,
                provider,
                tenant_id = %workspace_id,
                account_id = %account_id,
                renamed,
                visibility,
                values_replaced,
            ),
            Self::DefaultChanged { connection_id, provider, workspace_id, account_id } => event!(
                "connection.default_changed",
                connection_id = %connection_id,
                provider,
                tenant_id = %workspace_id,
                account_id = %account_id,
            ),
            Self::Refreshed { connection_id, provider, workspace_id, expires_at } => event!(
                "connection.refreshed",
                connection_id = %connection_id,
                provider,
                tenant_id = %workspace_id,
                expires_at,
            ),
            Self::ReauthorizationRequired { connection_id, provider, workspace_id, owner_id, reason } => {
                event!(
                    failure "connection.reauthorization_required",
                    connection_id = %connection_id,
                    provider,
                    tenant_id = %workspace_id,
                    account_id = %owner_id,
                    reason,
                );
            }
            Self::Revoked { connection_id, provider, workspace_id, account_id, at_provider } => event!(
                "connection.revoked",
                connection_id = %connection_id,
                provider,
                tenant_id = %workspace_id,
                account_id = account_id.map(tracing::field::display),
                at_provider,
            ),
            Self::CredentialsRead { connection_id, provider, workspace_id, account_id, reader } => event!(
                "connection.credentials_read",
                connection_id = %connection_id,
                provider,
                tenant_id = %workspace_id,
                account_id = account_id.map(tracing::field::display),
                reader,
            ),
        }
    }
}
