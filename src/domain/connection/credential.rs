//! A connection, as it is stored.

use chrono::{DateTime, Utc};

use crate::domain::{
    id::{AccountId, ConnectionId, WorkspaceId},
    secret::Secret,
    stored::{StoredValue, stored_words},
};

/// Most connections of a workspace to one provider (contract K3).
pub(crate) const MAX_CONNECTIONS: u64 = 100;
/// Most connections of a member who is not an administrator to one provider, so that places are left for others.
pub(crate) const MAX_CONNECTIONS_OF_MEMBER: u64 = 20;
/// Longest name, in characters.
pub(crate) const MAX_NAME: usize = 30;
/// `expires_at` of credentials that do not expire.
pub(crate) const NEVER: i64 = -1;

stored_words! {
    /// How the credentials were obtained.
    CredentialType {
        ApiKey = "api-key",
        OAuth = "oauth2",
    }
}

stored_words! {
    /// Who of the workspace may use a connection.
    Visibility {
        OnlyMe = "only_me",
        Workspace = "all_team_members",
    }
}

stored_words! {
    /// Whether a connection can be used.
    ConnectionStatus {
        Active = "active",
        ReauthorizationRequired = "reauthorization_required",
    }
}

stored_words! {
    /// Why a person has to authorize again.
    ReauthorizationReason {
        /// The provider does not accept the refresh token any more.
        InvalidGrant = "invalid_grant",
        /// The provider does not accept the OAuth client.
        InvalidClient = "invalid_client",
        /// The token has expired, and there is no refresh token.
        NoRefreshToken = "no_refresh_token",
        /// A tool reports that the provider rejects the token, and it cannot be refreshed.
        Rejected = "rejected",
        /// The workspace has no OAuth client for the provider any more.
        ClientMissing = "oauth_client_missing",
    }
}

/// The result of recording that a person has to authorize again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    Now,
    /// It was recorded before.
    Before,
    /// Nothing is recorded, because the connection has other values than the ones that were read, or was deleted.
    Changed,
}

/// The state of a connection that Dify's table has no columns for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionHealth {
    pub status: ConnectionStatus,
    pub reason: Option<StoredValue<ReauthorizationReason>>,
    /// Refreshes that failed since the last success.
    pub failures: u32,
    /// No refresh is tried before this time.
    pub retry_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A row of `tool_builtin_providers`, with its state.
#[derive(Clone, Debug)]
pub struct Connection {
    pub id: ConnectionId,
    pub workspace_id: WorkspaceId,
    pub owner: AccountId,
    /// The provider as it is stored: `organization/plugin/provider`.
    pub provider: String,
    pub name: String,
    pub kind: StoredValue<CredentialType>,
    pub visibility: StoredValue<Visibility>,
    pub is_default: bool,
    /// The encrypted values.
    pub sealed: Secret,
    /// Seconds since the epoch; [`NEVER`] for credentials that do not expire.
    pub expires_at: i64,
    pub created_at: DateTime<Utc>,
    /// When the values or the name were last changed.
    pub updated_at: DateTime<Utc>,
    pub health: ConnectionHealth,
}

impl Connection {
    /// Whether a member of the workspace sees the connection and may use it.
    pub fn is_visible_to(&self, account: AccountId) -> bool {
        self.owner == account || self.visibility.is(Visibility::Workspace)
    }

    /// Whether these credentials are newer than `read`, and not the same ones encrypted again.
    pub fn is_newer_than(&self, read: &Self) -> bool {
        self.sealed.expose() != read.sealed.expose()
            && (self.updated_at, self.expires_at) != (read.updated_at, read.expires_at)
    }

    /// Whether half of the credentials' lifetime has passed. Ones that live for minutes are not refreshed ahead before.
    pub fn is_half_over(&self, now: DateTime<Utc>) -> bool {
        let issued_at = self.updated_at.timestamp();
        now.timestamp() - issued_at >= self.expires_at.saturating_sub(issued_at) / 2
    }

    /// Whether the credentials expire within `seconds` of `now`.
    pub fn expires_within(&self, seconds: i64, now: DateTime<Utc>) -> bool {
        self.expires_at >= 0 && self.expires_at.saturating_sub(seconds) <= now.timestamp()
    }
}

/// A connection to be stored.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub id: ConnectionId,
    pub workspace_id: WorkspaceId,
    pub owner: AccountId,
    /// Most connections of the owner to the provider.
    pub max_of_owner: u64,
    pub provider: String,
    /// `None` for an automatic name.
    pub name: Option<String>,
    pub kind: CredentialType,
    pub visibility: Visibility,
    pub sealed: Secret,
    pub expires_at: i64,
    pub created_at: DateTime<Utc>,
}

/// Values that replace stored ones.
#[derive(Clone, Debug)]
pub struct ReplacedCredentials<'a> {
    /// The encrypted values that are replaced. Nothing is stored when the row has others.
    pub old: &'a Secret,
    pub new: &'a Secret,
    pub expires_at: i64,
    pub now: DateTime<Utc>,
}

/// A change of a connection by its owner or an administrator.
#[derive(Clone, Debug, Default)]
pub struct ConnectionChange {
    pub name: Option<String>,
    pub visibility: Option<Visibility>,
    pub sealed: Option<Secret>,
}
